"""``rackecon claims``: vendor claims on trial, with the computed value, its interval, the verdict and the sources."""

from __future__ import annotations

from typing import Annotated

import typer


def claims(
    json_output: Annotated[bool, typer.Option("--json", help="Every record as JSON instead of a table.")] = False,
    claim_id: Annotated[str | None, typer.Option("--id", help="One claim only.")] = None,
) -> None:
    """Every claim record: claimed, measured and computed value, verdict by rule, when it is true, sources."""
    from rackecon.claims import assess, claim, record
    from rackecon.claims import claims as every

    chosen = [claim(claim_id)] if claim_id is not None else list(every().values())
    records = [record(assess(one)) for one in chosen]
    if json_output:
        import json

        from rackecon.words import tidy

        typer.echo(json.dumps(tidy(records), indent=1, ensure_ascii=False))
        return
    from rackecon.pages.claims_text import value_text

    width = max(len(r["id"]) for r in records)
    for r in records:
        computed = value_text(r["metric"], r["computed"])
        ends = f"{value_text(r['metric'], r['computed_low'])} to {value_text(r['metric'], r['computed_high'])}"
        typer.echo(f"{r['id']:{width}}  {r['verdict']}")
        typer.echo(f"{'':{width}}  claimed {r['claimed_text']}; computed {computed} ({ends}; {r['computed_at']})")
        told = r["true_when"] or r["missing"]
        typer.echo(
            f"{'':{width}}  {r['subject']}{'; true ' if r['true_when'] else '; missing: ' if told else ''}{told}"
        )
        typer.echo(f"{'':{width}}  {'; '.join(s['title'] + ', ' + s['date'] for s in r['sources'])}")
