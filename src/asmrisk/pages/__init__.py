"""Pages: single files of HTML that open from a disk, without network and without scripts too."""
