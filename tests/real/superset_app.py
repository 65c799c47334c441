"""Apache Superset itself against a running sluice, through its own API; run by Superset's Python, not by the ring's.

    superset_app.py PORT

Its metadata is a SQLite file in the current folder, made by `superset db upgrade`. Prints what it saw, a line for each part.
"""

import json
import sys

PORT = sys.argv[1]
URI = f"postgresql+psycopg2://sluice@127.0.0.1:{PORT}/sluice"
USER = {"username": "admin", "password": "a long password", "first_name": "a", "last_name": "b", "email": "a@example.org"}


def same(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen!r}, wanted {wanted!r}"


def main():
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        manager = app.appbuilder.sm
        app.appbuilder.add_permissions(update_perms=True)
        manager.sync_role_definitions()
        manager.add_user(USER["username"], USER["first_name"], USER["last_name"], USER["email"], manager.find_role("Admin"), USER["password"])
    client = app.test_client()

    def ask(method, path, body=None):
        answer = client.open(f"/api/v1/{path}", method=method, json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), f"{method} {path}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}"
        return answer.get_json()

    headers = {}
    token = ask("POST", "security/login", {**{k: USER[k] for k in ("username", "password")}, "provider": "db", "refresh": False})
    headers["Authorization"] = f"Bearer {token['access_token']}"

    same("the connection's test", ask("POST", "database/test_connection/", {"database_name": "sluice", "sqlalchemy_uri": URI})["message"], "OK")
    database = ask("POST", "database/", {"database_name": "sluice", "sqlalchemy_uri": URI, "expose_in_sqllab": True})["id"]
    print("connection: OK")

    schemas = ask("GET", f"database/{database}/schemas/?q=(force:!t)")["result"]
    assert {"public", "superset_shop"} <= set(schemas), schemas
    tables = ask("GET", f"database/{database}/tables/?q=(force:!t,schema_name:superset_shop)")["result"]
    same("tables", sorted((t["value"], t["type"]) for t in tables),
         [("orders", "table"), ("paid", "view"), ("per_day", "view")])
    print("schemas and tables:", len(schemas), sorted((t["value"], t["type"]) for t in tables))
    metadata = ask("GET", f"database/{database}/table_metadata/?name=orders&schema=superset_shop")
    same("columns", [(c["name"], c["type"]) for c in metadata["columns"]],
         [("id", "BIGINT"), ("status", "VARCHAR"), ("amount", "NUMERIC"), ("placed", "TIMESTAMP"), ("vip", "BOOLEAN")])
    same("comment", metadata["comment"], "what was bought")
    print("table metadata: columns, comment")

    dataset = ask("POST", "dataset/", {"database": database, "schema": "superset_shop", "table_name": "orders"})["id"]
    columns = ask("GET", f"dataset/{dataset}")["result"]["columns"]
    kinds = {c["column_name"]: (c["type_generic"], c["is_dttm"]) for c in columns}
    # 0 number, 1 text, 2 time, 3 boolean.
    same("dataset", kinds, {"id": (0, False), "status": (1, False), "amount": (0, False), "placed": (2, True), "vip": (3, False)})
    print("dataset:", kinds)

    total = {"expressionType": "SQL", "sqlExpression": "SUM(amount)", "label": "total"}
    grains = {"PT1H": 3, "P1D": 2, "P1W": 2, "P1M": 2, "P3M": 1, "P1Y": 1}
    for grain, groups in grains.items():
        chart = ask("POST", "chart/data", {
            "datasource": {"id": dataset, "type": "table"}, "force": True, "result_format": "json", "result_type": "full",
            "queries": [{
                "columns": [{"timeGrain": grain, "columnType": "BASE_AXIS", "sqlExpression": "placed", "label": "placed", "expressionType": "SQL"}],
                "metrics": [total], "orderby": [[total, False]], "row_limit": 100, "extras": {"time_grain_sqla": grain},
                "filters": [{"col": "status", "op": "IN", "val": ["paid", "sent"]}, {"col": "placed", "op": "TEMPORAL_RANGE", "val": "2026-01-01 : 2027-01-01"}],
            }]})["result"][0]
        same(f"chart by {grain}", (chart["error"], len(chart["data"]), sum(row["total"] for row in chart["data"])), (None, groups, 150.0))
    print("chart with time grains:", list(grains))

    answer = ask("POST", "sqllab/execute/", {
        "database_id": database, "schema": "superset_shop", "runAsync": False, "client_id": "abcdefghijk", "tab": "t", "sql_editor_id": "1",
        "queryLimit": 100, "sql": "SELECT status, count(*) AS n, sum(amount) AS total, max(placed) AS latest FROM orders GROUP BY status ORDER BY 1"})
    same("SQL Lab", [(row["status"], row["n"]) for row in answer["data"]], [("new", 1), ("paid", 3), ("sent", 1)])
    same("types in SQL Lab", [(c["column_name"], c["type"]) for c in answer["columns"]],
         [("status", "STRING"), ("n", "LONGINTEGER"), ("total", "DECIMAL"), ("latest", "DATETIME")])
    print("SQL Lab:", json.dumps(answer["data"]))
    wrong = client.post("/api/v1/sqllab/execute/", headers=headers, json={
        "database_id": database, "schema": "superset_shop", "runAsync": False, "client_id": "abcdefghijl", "sql": "SELECT nothing FROM orders"})
    # Superset reads PostgreSQL's message: it knows the column's name from it.
    error = wrong.get_json()["errors"][0]
    same("an error in SQL Lab", error["error_type"], "COLUMN_DOES_NOT_EXIST_ERROR")
    assert "nothing" in error["message"], error
    print("SQL Lab: an error is understood:", error["message"])


main()
