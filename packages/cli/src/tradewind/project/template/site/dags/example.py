"""Sales by region, added up with pandas. The values stay at the site: the plane has only their addresses."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, tags=["example"])
def example() -> None:
    @task
    def regions() -> list[str]:
        return ["europe", "america", "asia"]

    @task
    def sales(region: str) -> dict[str, object]:
        import pandas as pd  # in the task: parsing the file stays fast

        days = pd.Series(range(1, 8), name=region)
        return {"region": region, "total": int((days * len(region)).sum())}

    @task
    def report(parts: list[dict[str, object]]) -> int:
        import pandas as pd

        table = pd.DataFrame(parts).set_index("region")
        print(table.to_string())
        return int(table["total"].sum())

    report(sales.expand(region=regions()))


example()
