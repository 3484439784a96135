"""Every function that opens or parses what comes from outside, by the kind of what it reads.

Functions are named by text: to look at the table imports nothing. `tests/hostile` walks all code for whatever
opens or parses and demands that it is here, and harms what it reads.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OF_OURS", "READERS", "Reader"]


class Reader(NamedTuple):
    """Who reads one kind of input, and within which limits."""

    kind: str  #: what it is
    functions: tuple[str, ...]  #: that open or parse it; without the name of the package
    limits: tuple[str, ...] = ()  #: names in `asmrisk.limits.LIMITS`


_DOCUMENT = ("scenario.toml_source._read_text", "scenario.toml_source._parsed", "scenario.toml_source._key")
_OF_DOCUMENT = ("document_bytes", "document_keys", "document_levels")

READERS = (
    Reader("scenario", _DOCUMENT, (*_OF_DOCUMENT, "extended_files")),
    Reader(
        "override",
        ("scenario.toml_source._key", "scenario.toml_source._override_value", "errors._stated"),
        (*_OF_DOCUMENT, "overrides"),
    ),
    Reader("study", _DOCUMENT, (*_OF_DOCUMENT, "study_points")),
    Reader(
        "clinician table, CSV",
        (
            "clinician_tables.table._content",
            "clinician_tables.delimited.split",
        ),
        ("table_bytes", "table_rows", "table_columns", "table_cells", "cell_characters"),
    ),
    Reader(
        "clinician table, Parquet",
        ("clinician_tables.table._content", "clinician_tables.parquet.columns_of_parquet"),
        ("table_bytes", "table_rows", "table_columns", "table_cells", "cell_characters"),
    ),
    Reader(
        "clinician table, workbook",
        (
            "clinician_tables.table._content",
            "clinician_tables.workbook.read_sheets",
            "clinician_tables.workbook._require_few_cells",
            "clinician_tables.workbook._sheets",
        ),
        ("workbook_bytes", "workbook_cells"),
    ),
    Reader(
        "list of participants",
        ("clinician_tables.table._content", "clinician_tables.delimited.split"),
        ("list_bytes", "table_rows", "table_columns", "table_cells", "cell_characters"),
    ),
    Reader(
        "store",
        (
            "results.folder.Folder._parent",
            "results.folder.Folder._open",
            "results.folder.Folder.read",
            "results.spec.unsealed",
            "results.store._require_this_format",
            "results.metadata.Root.decode",
            "results.metadata._lengths_in",
            "results.layout.digest_of_chunk",
            "results.reading._dataset",
            "analysis.related_runs._stores_beside",
        ),
        ("metadata_bytes", "chunk_bytes", "store_length"),
    ),
    Reader(
        "results in memory",
        (
            "analysis.run_results.provenance_in",
            "analysis.precision.run_to_precision",
            "analysis.export.export",
        ),
    ),
    Reader(
        "object storage",
        (
            "results.object_storage.Bucket._any_at",
            "results.object_storage._whole",
            "results.object_storage.Bucket.sizes",
        ),
        ("metadata_bytes", "chunk_bytes", "store_length"),
    ),
    Reader(
        "kernel cache",
        (
            "numerics.jit._compile",
            "numerics.jit._read",
            "numerics.jit._KernelCache._load_overload",
            "numerics.jit.discard_damaged_kernels",
            "numerics.cache_folder._close",
            "simulation.compilation._kept",
        ),
    ),
    Reader("memo of the code's identity", ("numerics.code_identity._Memo.__init__",)),
    Reader("scheduler file", ("engine.executors._address", "engine.cluster._connected"), ("document_bytes",)),
    Reader(
        "cluster",
        (
            "engine.cluster._unpacked",
            "engine.cluster.local_cluster",
            "engine.cluster._connected",
        ),
    ),
    Reader("certificates", ("cli.options.secured",)),
    Reader(
        "names of files",
        (
            "scenario.toml_source._among",
            "scenario.toml_source.no_file",
            "scenario.library.init",
            "results.folder.Folder.sizes",
            "results.folder.Folder.refusal",
            "results.folder.Folder._tidy",
            "analysis.related_runs._stores_beside",
            "analysis.export.export",
            "numerics.jit.kernels_compiled",
            "cli.completion._entries",
        ),
    ),
    Reader(
        "environment",
        (
            "limits.limit",
            "limits.require_within",
            "numerics.cache_folder.cache_base",
            "results.object_storage._endpoint",
            "engine.progress.Progress.shown",
            "cli.group._ended",
            "engine.cluster._own_folder",
            "cli.group.main",
        ),
    ),
)

#: What opens or parses too, but nothing from outside: why not, by function.
OF_OURS = {
    "clinician_tables.template._write_workbook": "a workbook that is made in memory",
    "limits.read_file": "opens for those that stand above",
    "limits._at_once": "opens for those that stand above",
    "__main__.main": "the null device",
    "numerics.jit._KernelCache.__init__": "this package's code",
    "simulation.own_luck": "evaluates text of its own",
    "simulation.state": "evaluates text of its own",
    "handbook.docs": "pages that are installed",
    "handbook.html._Renderer.image": "pictures that are installed",
    "pages.page._file": "what pages are made of, installed",
    "pages.tables.readings": "scenarios that are installed",
    "scenario.library._files": "names of scenarios that are installed",
    "scenario.published_tables.read": "tables that are installed",
    "cli.completion._library": "names of scenarios that are installed",
    "numerics.code_identity.code_identity": "this package's data",
    "numerics.code_identity.covered_modules": "this package's code",
    "numerics.code_identity._files": "this package's code",
    "numerics.code_identity._facts": "this package's code",
    "charts.svg.svg": "a drawing that it has just made",
    "simulation.compilation._compile_side_by_side": "this program, started again",
    "simulation.scenario_simulation._prepared": "a scenario that this package wrote, checked anew",
    "results.folder.Folder._unfinished": "writes",
}
