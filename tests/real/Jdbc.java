import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;

/** What a Java client does: parameters, types, a large result by fetch size, and the catalog. `java -cp <driver> Jdbc.java <url> <rows>` */
public class Jdbc {
    static int wrong = 0;

    static void same(String what, Object seen, Object wanted) {
        if (!Objects.deepEquals(seen, wanted)) {
            wrong++;
            System.out.println(what + ": " + show(seen) + ", wanted " + show(wanted));
        }
    }

    static String show(Object value) {
        return value instanceof Object[] array ? Arrays.deepToString(array)
            : value instanceof byte[] bytes ? HexFormat.of().formatHex(bytes) : String.valueOf(value);
    }

    interface Check {
        void run() throws Exception;
    }

    static void check(String what, Check check) {
        try {
            check.run();
        } catch (Exception error) {
            wrong++;
            System.out.println(what + ": " + error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        int rows = Integer.parseInt(arguments[1]);
        // Text first, then the same in binary: the driver changes over with the first use of a prepared statement.
        for (String mode : List.of("", "&binaryTransfer=false", "&prepareThreshold=-1", "&preferQueryMode=simple")) {
            try (Connection connection = DriverManager.getConnection(url + mode)) {
                check("values" + mode, () -> values(connection));
            }
        }
        try (Connection connection = DriverManager.getConnection(url)) {
            check("large", () -> large(connection, rows));
            check("error", () -> error(connection));
            check("metadata", () -> metadata(connection));
        }
        if (wrong > 0) {
            System.exit(1);
        }
    }

    static void values(Connection connection) throws Exception {
        Instant instant = Instant.parse("2026-02-28T01:02:03.000004Z");
        Object[][] cases = {
            {"bool", true, Boolean.class}, {"int2", 7, Integer.class}, {"int4", -7, Integer.class}, {"int8", 1L << 40, Long.class},
            {"float8", 1.5, Double.class}, {"float4", 0.25f, Float.class}, {"numeric", new BigDecimal("12.340"), BigDecimal.class},
            {"text", "Zoë 'x' \\", String.class}, {"bytea", new byte[] {0, (byte) 255}, byte[].class},
            {"date", LocalDate.of(2026, 2, 28), LocalDate.class}, {"time", LocalTime.of(1, 2, 3), LocalTime.class},
            {"timestamp", LocalDateTime.of(2026, 2, 28, 1, 2, 3, 4000), LocalDateTime.class},
            {"timestamptz", instant.atOffset(ZoneOffset.UTC), OffsetDateTime.class}, {"uuid", new UUID(1, 2), UUID.class},
        };
        for (Object[] one : cases) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?::" + one[0] + ", ?::" + one[0] + " IS NULL")) {
                // The driver goes over to a named statement and binary results with the fifth use.
                for (int use = 0; use < 7; use++) {
                    statement.setObject(1, one[1]);
                    statement.setNull(2, Types.NULL);
                    try (ResultSet result = statement.executeQuery()) {
                        result.next();
                        Object seen = one[2] == byte[].class ? result.getBytes(1) : result.getObject(1, (Class<?>) one[2]);
                        same(one[0] + ", use " + use, seen, one[1]);
                        same(one[0] + " NULL", result.getBoolean(2), true);
                    }
                }
            } catch (SQLException error) {
                throw new SQLException(one[0] + ": " + error.getMessage() + " " + error.getSQLState());
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT v FROM silver.large WHERE id = ANY(?) ORDER BY id")) {
            statement.setArray(1, connection.createArrayOf("int4", new Object[] {3, 5}));
            try (ResultSet result = statement.executeQuery()) {
                result.next();
                same("array parameter", result.getString(1), "v3");
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT ARRAY[1,2,NULL]::int4[] AS a, 1.50::numeric(5,2) AS n")) {
            result.next();
            same("array", result.getArray(1).getArray(), new Integer[] {1, 2, null});
            ResultSetMetaData about = result.getMetaData();
            same("type name", about.getColumnTypeName(1), "_int4");
            same("label", about.getColumnLabel(2), "n");
            same("precision and scale", List.of(about.getPrecision(2), about.getScale(2)), List.of(5, 2));
        }
    }

    static void large(Connection connection, int rows) throws Exception {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, v FROM silver.large WHERE id > ? ORDER BY id")) {
            statement.setFetchSize(100);
            statement.setInt(1, 0);
            int seen = 0;
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    seen++;
                    if (result.getInt(1) != seen || !result.getString(2).equals("v" + seen)) {
                        same("row " + seen, result.getInt(1) + " " + result.getString(2), seen + " v" + seen);
                        break;
                    }
                }
            }
            same("rows by fetch size 100", seen, rows);
            // A portal that is left half read must not be in the way of the next statement.
            try (ResultSet result = statement.executeQuery()) {
                result.next();
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void error(Connection connection) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement("SELECT 1 / ?")) {
            statement.setInt(1, 0);
            statement.executeQuery();
            same("1 / 0", "a row", "an error");
        } catch (SQLException error) {
            same("1 / 0", error.getSQLState(), "22012");
        }
    }

    static List<String> all(ResultSet result, String... columns) throws SQLException {
        List<String> lines = new ArrayList<>();
        while (result.next()) {
            List<String> line = new ArrayList<>();
            for (String column : columns) {
                line.add(result.getString(column));
            }
            lines.add(String.join("|", line));
        }
        return lines;
    }

    static void metadata(Connection connection) throws Exception {
        DatabaseMetaData about = connection.getMetaData();
        same("product", about.getDatabaseProductName(), "PostgreSQL");
        check("getSchemas", () -> {
            List<String> schemas = all(about.getSchemas(), "TABLE_SCHEM");
            same("schemas", schemas.containsAll(List.of("bronze", "silver", "gold", "sluice", "pg_catalog", "information_schema")), true);
        });
        check("getTables", () -> {
            same("getTables", all(about.getTables(null, "silver", "paym%", new String[] {"TABLE"}), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"),
                List.of("silver|payments|TABLE"));
            same("getTables of gold", all(about.getTables(null, "gold", "by_segment", null), "TABLE_NAME", "TABLE_TYPE"),
                List.of("by_segment|MATERIALIZED VIEW"));
        });
        check("getColumns", () -> same("getColumns",
            all(about.getColumns(null, "silver", "payments", "%"), "COLUMN_NAME", "TYPE_NAME", "NULLABLE", "ORDINAL_POSITION").subList(0, 3),
            List.of("order_id|int8|0|1", "seq|int4|0|2", "amount|numeric|0|3")));
        check("numeric's size", () -> same("getColumns of amount",
            all(about.getColumns(null, "silver", "payments", "amount"), "COLUMN_SIZE", "DECIMAL_DIGITS"), List.of("10|2")));
        check("getPrimaryKeys", () -> {
            List<String> keys = all(about.getPrimaryKeys(null, "silver", "payments"), "COLUMN_NAME", "KEY_SEQ");
            Collections.sort(keys);
            same("getPrimaryKeys", keys, List.of("order_id|1", "seq|2"));
        });
        check("getIndexInfo", () -> all(about.getIndexInfo(null, "silver", "payments", true, true), "COLUMN_NAME"));
        check("getTypeInfo", () -> same("getTypeInfo", all(about.getTypeInfo(), "TYPE_NAME").contains("timestamptz"), true));
        check("getImportedKeys", () -> same("getImportedKeys", all(about.getImportedKeys(null, "silver", "payments"), "PKTABLE_NAME"), List.of()));
        check("getFunctions", () -> all(about.getFunctions(null, null, "lower"), "FUNCTION_NAME"));
    }
}
