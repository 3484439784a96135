"""What every kernel stands on: how kernels are compiled and identified, and portable exp and log."""
