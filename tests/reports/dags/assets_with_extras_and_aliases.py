"""Events of assets and aliases carry their extras to the runs that they start.

apache/airflow#50182, apache/airflow#58038, apache/airflow#48650, apache/airflow#58058.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, Asset, AssetAlias, Metadata, task

SCENARIO = {
    "ends": {"produces_assets": "success", "consumes_an_asset": "success", "consumes_an_alias": "success"},
    "triggers": ["produces_assets"],
    "play": "trigger_asset_consumers_too",
}

ORDERS = Asset(name="reported_orders", uri="s3://reported/orders", extra={"of": "the asset"})
FILES = AssetAlias("reported_files")

with DAG("produces_assets", schedule=None):

    @task(outlets=[ORDERS])
    def orders(outlet_events=None):
        outlet_events[ORDERS].extra = {"rows": 3, "pair": [1, 2]}
        return "orders"

    @task(outlets=[FILES])
    def files():
        yield Metadata(Asset("s3://reported/file-1", extra={"path": "/one"}), {"size": 10}, FILES)

    @task(outlets=[FILES])
    def more_files(outlet_events=None):
        witness.saw("aliases", dag="produces_assets", keys=sorted(str(key) for key in outlet_events))

    orders() >> files() >> more_files()

with DAG("consumes_an_asset", schedule=[ORDERS]):

    @task(inlets=[ORDERS])
    def reads_orders(triggering_asset_events=None, inlet_events=None, dag_run=None):
        for asset, events in triggering_asset_events.items():
            for event in events:
                witness.saw(
                    "event", asset=asset.name, uri=asset.uri, extra=event.extra, by=event.source_task_id
                )
        last = inlet_events[ORDERS][-1]
        witness.saw("inlet", extra=last.extra, run=last.source_run_id)
        witness.saw("run", type=str(dag_run.run_type), date=dag_run.logical_date)

    reads_orders()

with DAG("consumes_an_alias", schedule=FILES):

    @task(inlets=[FILES])
    def reads_files(triggering_asset_events=None, inlet_events=None):
        for asset, events in triggering_asset_events.items():
            for event in events:
                witness.saw(
                    "event",
                    asset=type(asset).__name__,
                    name=asset.name,
                    extra=event.extra,
                    by=event.source_task_id,
                )
        witness.saw("inlet", extras=[event.extra for event in inlet_events[FILES]])

    reads_files()
