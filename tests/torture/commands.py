"""Every command that writes, and those that read most, each with the files that it needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from faults import ROOT, Case

EARLIER = "earlier,result\n1,2\n"
ACCELERATOR = (
    "id,family,peak_bf16_flops,hbm_gib,hbm_tb_per_s,scaleup_gb_per_s,scaleup_domain_gpus,tdp_w\n"
    "mychip-1,hopper,1.2e15,96,4.0,450,8,750\n"
)
PRICE = "provider,model_id,value_input,value_output,valid_from\nme,gpt-oss-20b,0.1,0.4,2026-01-31\n"
COST = "accelerator,value\nh100-sxm,2.5\n"
RACK = "accelerator,gpus_per_rack,rack_it_kw\na100-80gb-sxm,64,100\n"
MEASURED = (
    "date,accelerator,gpus,model,weight_precision,engine,mode,tp,ep,isl,osl,concurrency,total_tok_s_per_gpu\n"
    "2026-06-01,h100-sxm,8,llama-3.1-70b,fp8,vllm,aggregated,8,1,1024,1024,64,800\n"
)
MODEL = (
    "id,layers,hidden,vocab,n_heads,n_kv_heads,head_dim,max_context_tokens,stated_total_params,stated_active_params,"
    "stated_kv_bytes_per_token_bf16\nmy-other,80,8192,128256,64,8,128,131072,7.06e10,6.95e10,327680\n"
)
SCENARIO = "id,isl_tokens,osl_tokens\nmine,1000,200\n"
TRACE = "timestamp,input_tokens,output_tokens\n0,100,10\n1,100,20\n3,200,30\n"
CONFIG = {
    "model_type": "llama", "num_hidden_layers": 80, "hidden_size": 8192, "vocab_size": 128256, "num_attention_heads": 64,
    "num_key_value_heads": 8, "intermediate_size": 28672, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
GRID = (
    "fixed: {accelerator: h100-sxm, model: gpt-oss-20b, isl_tokens: 1000, osl_tokens: 500}\n"
    "grid: {utilisation: [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]}\n"
)
PLAN = (
    "platforms: [h200-sxm, gb300-nvl72]\nlimits: {power_mw: 2}\nload_share: 1\ntiers: {standard: {tok_s_per_user: 30}}\n"
    "demand: [{workload: rag-summarise, model: deepseek-r1, tiers: {standard: 1}}]\n"
)
CASE = ("--accelerator", "h100-sxm", "--model", "gpt-oss-20b", "--isl", "1000", "--osl", "500")
SIZED = ("--model", "gpt-oss-20b", "--isl", "1000", "--osl", "500", "--users", "100", "--accelerator", "h100-sxm")
PAGE = "03_context_length"
INPUTS = {
    "accelerators.csv": ACCELERATOR, "prices.csv": PRICE, "costs.csv": COST, "racks.csv": RACK, "measured.csv": MEASURED,
    "models.csv": MODEL, "scenarios.csv": SCENARIO,
    "trace.csv": TRACE, "config.json": json.dumps(CONFIG), "grid.yaml": GRID, "plan.yaml": PLAN, "out.csv": EARLIER,
    "out.parquet": EARLIER, "own/racks.csv": "accelerator,gpus_per_rack,rack_it_kw\nl40s,8,10\n",
}  # fmt: skip


def prepare(folder: Path) -> None:
    """The files that the commands read, and an earlier result of each name that they write."""
    (folder / "own").mkdir()
    for name, text in INPUTS.items():
        (folder / name).write_text(text, encoding="utf-8")


def edition(folder: Path) -> None:
    """Two editions of a report, the earlier page of changes beside the later one."""
    for name, vintage in (("old", "2026-08-01"), ("new", "2026-11-23")):
        (folder / name / "data").mkdir(parents=True)
        (folder / name / "reports" / "results").mkdir(parents=True)
        (folder / name / "data" / "base_case.csv").write_text(f"parameter,value\nas_of_date,{vintage}\n")
        text = f"key,value,unit\nanswer,{name} leads.,text\n"
        (folder / name / "reports" / "results" / "00_executive_summary.csv").write_text(text)
    (folder / "new" / "reports" / "changes.html").write_text(EARLIER)


def notebooks(folder: Path) -> None:
    """Notebooks of one's own, one of them run."""
    (folder / "notebooks").mkdir()
    for name in ("template", PAGE):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    shutil.copy(ROOT / "reports" / "04_prefill_decode_ratio.ipynb", folder / "notebooks")


def reports(folder: Path) -> None:
    """Notebooks of one's own and an earlier page."""
    notebooks(folder)
    (folder / "notebooks" / "04_prefill_decode_ratio.ipynb").unlink()
    (folder / "reports").mkdir()
    for ending in ("ipynb", "html"):
        shutil.copy(ROOT / "reports" / f"{PAGE}.{ending}", folder / "reports")


def executed() -> None:
    """In place of papermill and its kernel: the notebook as it is committed with its outputs."""
    import papermill

    def execute_notebook(source: str, target: str, **_: object) -> None:
        name = Path(source).name
        Path(target).write_bytes((ROOT / "reports" / name).read_bytes())

    papermill.execute_notebook = execute_notebook


OWN_NOTEBOOKS = {"RACKECON_NOTEBOOKS": "{folder}/notebooks", "RACKECON_REPORTS": "{folder}"}
OWN_REPORTS = {"RACKECON_NOTEBOOKS": "{folder}/notebooks", "RACKECON_REPORTS": "{folder}/reports"}

WRITERS = (
    Case("predict", ("predict", "measured.csv", "-o", "out.csv"), prepare),
    Case("frontier", ("frontier", *CASE, "--csv", "out.csv"), prepare),
    Case("size", ("size", *SIZED, "--csv", "out.csv"), prepare),
    Case("plan", ("plan", "plan.yaml", "--flows", "out.csv", "--quiet"), prepare),
    Case("sweep", ("sweep", "grid.yaml", "-o", "out.parquet", "--jobs", "1", "--chunk", "2", "--quiet"), prepare),
    Case("edition", ("edition", "old", "new"), edition),
    Case("data export", ("data", "export", "exported"), prepare),
    Case("data add costs", ("data", "add", "costs", "costs.csv"), prepare),
    *(Case(f"data add {table}", ("data", "add", table, f"{table}.csv"), prepare) for table in ("racks", "models", "scenarios")),
    Case("data add power", ("data", "add", "power", "costs.csv"), prepare),
    Case("data add-accelerator", ("data", "add-accelerator", "accelerators.csv"), prepare),
    Case("data add-price", ("data", "add-price", "prices.csv"), prepare),
    Case("data add-model", ("data", "add-model", "config.json", "--id", "mine"), prepare),
    Case("data add-measured", ("data", "add-measured", "measured.csv"), prepare),
    Case("data add-workload", ("data", "add-workload", "trace.csv", "--id", "mine"), prepare),
    Case("new", ("new", "20_batch_size"), notebooks, environment=OWN_NOTEBOOKS),
    Case("notebooks clean", ("notebooks", "clean"), notebooks, environment=OWN_NOTEBOOKS),
    Case("report", ("report", PAGE, "--jobs", "1", "--force"), reports, executed, (1, 2), OWN_REPORTS),
    Case("report --name", ("report", PAGE, "--name", "x", "--jobs", "1", "--standalone"), reports, executed, (1, 2), OWN_REPORTS),
)  # fmt: skip
READERS = (
    Case("data check", ("data", "check"), prepare),
    Case("claims", ("claims", "--id", "gb200-75m"), prepare),
    Case("forecasts list", ("forecasts", "list"), prepare),
    Case("diagnose", ("diagnose", "measured.csv"), prepare),
    Case("crosscheck", ("crosscheck", "--worst", "1"), prepare),
    Case("compare", ("compare", "reports", "reports"), lambda _: None),
)
