import java.sql.*;
import java.util.*;

/** Drives a server with pgjdbc as BI tools do. Arguments: JDBC_URL USER [PASSWORD] */
public class Postgres {
  interface Call { ResultSet run() throws Exception; }
  interface Test { Object run() throws Exception; }

  static int passed;
  static List<String> failed = new ArrayList<>();

  static void test(String name, Object want, Test t) {
    try {
      Object got = t.run();
      if (!want.equals(got)) throw new Exception("answered " + got + ", want " + want);
      passed++;
    } catch (Throwable e) {
      String m = String.valueOf(e.getMessage()).replace("\n", " ");
      failed.add(name + ": " + m.substring(0, Math.min(200, m.length())));
    }
  }

  /** Reads a whole answer and passes when it has at least this many rows. */
  static void rows(String name, int least, Call c) {
    test(name, true, () -> {
      try (ResultSet r = c.run()) {
        int n = 0;
        while (r.next()) { n++; for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) r.getObject(i); }
        if (n < least) throw new Exception(n + " rows, want " + least);
        return true;
      }
    });
  }

  public static void main(String[] a) throws Exception {
    Connection c = DriverManager.getConnection(a[0], a[1], a.length > 2 ? a[2] : null);
    DatabaseMetaData d = c.getMetaData();
    rows("getCatalogs", 1, d::getCatalogs);
    rows("getSchemas", 1, d::getSchemas);
    rows("getTableTypes", 1, d::getTableTypes);
    rows("getTables", 2, () -> d.getTables(null, "sales", "%", null));
    rows("getTables of type TABLE", 1, () -> d.getTables(null, "sales", "%", new String[] {"TABLE"}));
    rows("getColumns", 7, () -> d.getColumns(null, "sales", "orders", "%"));
    rows("getPrimaryKeys", 1, () -> d.getPrimaryKeys(null, "sales", "orders"));
    rows("getImportedKeys", 0, () -> d.getImportedKeys(null, "sales", "orders"));
    rows("getExportedKeys", 0, () -> d.getExportedKeys(null, "sales", "orders"));
    rows("getCrossReference", 0, () -> d.getCrossReference(null, "sales", "orders", null, "sales", "orders"));
    rows("getIndexInfo", 0, () -> d.getIndexInfo(null, "sales", "orders", false, false));
    rows("getTypeInfo", 10, d::getTypeInfo);
    rows("getFunctions", 1, () -> d.getFunctions(null, null, "%"));
    rows("getProcedures", 0, () -> d.getProcedures(null, null, "%"));
    rows("getTablePrivileges", 0, () -> d.getTablePrivileges(null, "sales", "orders"));
    rows("getColumnPrivileges", 0, () -> d.getColumnPrivileges(null, "sales", "orders", "%"));
    rows("getUDTs", 0, () -> d.getUDTs(null, null, "%", null));
    rows("getBestRowIdentifier", 1, () -> d.getBestRowIdentifier(null, "sales", "orders", 1, true));
    rows("getVersionColumns", 0, () -> d.getVersionColumns(null, "sales", "orders"));
    rows("getClientInfoProperties", 1, d::getClientInfoProperties);
    test("getSQLKeywords", true, () -> d.getSQLKeywords().length() > 0);
    test("getMaxColumnNameLength", 63, d::getMaxColumnNameLength);
    test("column types", "[-5, 12, 2, 93, 91, -7, 2003]", () -> {
      List<Integer> t = new ArrayList<>();
      try (ResultSet r = d.getColumns(null, "sales", "orders", "%")) { while (r.next()) t.add(r.getInt("DATA_TYPE")); }
      return t.toString();
    });
    // From the sixth run on pgjdbc prepares on the server, and then asks for binary values.
    for (boolean prefer : new boolean[] {false, true}) {
      PreparedStatement p = c.prepareStatement("select id, name, amt, ts, d, b, tags from sales.orders where id = ?");
      if (prefer) p.unwrap(org.postgresql.PGStatement.class).setPrepareThreshold(-1); // binary from the first run
      for (int i = 1; i <= 12; i++) {
        test("prepared run " + i + (prefer ? " forced binary" : ""), "1 ann 12.50 2026-01-02 03:04:05.678901 2026-01-02 true [a, b]", () -> {
          p.setLong(1, 1);
          try (ResultSet r = p.executeQuery()) {
            r.next();
            return r.getLong(1) + " " + r.getString(2) + " " + r.getBigDecimal(3) + " " + r.getTimestamp(4) + " " + r.getDate(5) + " " + r.getBoolean(6) + " "
                + Arrays.toString((Object[]) r.getArray(7).getArray());
          }
        });
      }
      test("statement metadata", "7 1 numeric", () -> p.getMetaData().getColumnCount() + " " + p.getParameterMetaData().getParameterCount() + " " + p.getMetaData().getColumnTypeName(3));
    }
    test("fetch size, portal suspended", 1000, () -> {
      c.setAutoCommit(false);
      int n = 0;
      try (Statement s = c.createStatement()) {
        s.setFetchSize(64);
        try (ResultSet r = s.executeQuery("select i from generate_series(1, 1000) t(i)")) { while (r.next()) n++; }
      }
      c.commit();
      c.setAutoCommit(true);
      return n;
    });
    test("setReadOnly, isolation", 2, () -> { c.setReadOnly(true); c.setReadOnly(false); return c.getTransactionIsolation(); });
    test("isValid", true, () -> c.isValid(5));
    test("setSchema, getSchema", "sales", () -> { c.setSchema("sales"); return c.getSchema(); });
    test("query timeout", "57014", () -> {
      try (Statement s = c.createStatement()) {
        s.setQueryTimeout(1);
        s.execute("select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b");
        return "no timeout";
      } catch (SQLException e) { return e.getSQLState(); }
    });
    rows("after the timeout", 1, () -> c.createStatement().executeQuery("select 1"));
    test("CopyManager", "4 [1, 2, 3, 4]", () -> {
      try (Statement s = c.createStatement()) {
        s.execute("create schema jdbc");
        s.execute("create table jdbc.t (id bigint, name varchar)");
        long n = c.unwrap(org.postgresql.PGConnection.class).getCopyAPI().copyIn("copy jdbc.t from stdin (format csv)", new java.io.StringReader("1,a\n2,\n3,\"c\n\"\n4,d\n"));
        List<Long> ids = new ArrayList<>();
        try (ResultSet r = s.executeQuery("select id from jdbc.t order by id")) { while (r.next()) ids.add(r.getLong(1)); }
        return n + " " + ids;
      }
    });
    for (String f : failed) System.out.println("FAILED " + f);
    System.out.println(passed + " passed, " + failed.size() + " failed");
    System.exit(failed.isEmpty() ? 0 : 1);
  }
}
