import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** What programs ask of Trino's JDBC driver. Argument: HOST:PORT. Prints what failed, and ends with 1 if something did. */
public class Jdbc {
  interface Call {
    ResultSet run() throws Exception;
  }

  static final List<String> failed = new ArrayList<>();
  static int passed;

  /** Reads all values of all rows, of which there must be so many. */
  static void rows(String name, int least, Call call) {
    try (ResultSet r = call.run()) {
      int n = 0;
      for (; r.next(); n++) {
        for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) r.getObject(i);
      }
      if (n < least) throw new Exception(n + " rows, want " + least);
      passed++;
    } catch (Throwable e) {
      failed.add(name + ": " + e.getMessage());
    }
  }

  static void same(String name, Object got, Object want) {
    if (String.valueOf(got).equals(String.valueOf(want))) passed++;
    else failed.add(name + ": " + got + ", want " + want);
  }

  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection("jdbc:trino://" + args[0] + "/lake/silver", "me", null)) {
      metadata(c.getMetaData());
      statements(c);
    }
    failed.forEach(f -> System.out.println("FAILED " + f));
    System.out.println(passed + " passed, " + failed.size() + " failed");
    System.exit(failed.isEmpty() ? 0 : 1);
  }

  static void metadata(DatabaseMetaData d) throws SQLException {
    same("product version", d.getDatabaseProductVersion(), "476");
    rows("catalogs", 2, d::getCatalogs);
    rows("schemas", 4, d::getSchemas);
    rows("schemas of the catalog", 4, () -> d.getSchemas("lake", "%"));
    rows("table types", 2, d::getTableTypes);
    rows("tables", 5, () -> d.getTables("lake", "silver", "%", null));
    rows("tables of type TABLE", 5, () -> d.getTables("lake", "silver", "%", new String[] {"TABLE"}));
    rows("views", 1, () -> d.getTables("lake", "gold", "%", new String[] {"VIEW"}));
    rows("columns", 8, () -> d.getColumns("lake", "silver", "calls", "%"));
    rows("primary keys", 0, () -> d.getPrimaryKeys("lake", "silver", "calls"));
    rows("types", 10, d::getTypeInfo);
    rows("procedures", 0, () -> d.getProcedures(null, null, "%"));
    rows("user-defined types", 0, () -> d.getUDTs(null, null, "%", null));
  }

  static void statements(Connection c) throws SQLException {
    rows("select", 10, () -> c.createStatement().executeQuery("select * from calls"));
    PreparedStatement p = c.prepareStatement("select id, berth from calls where id > ? and port <> ?");
    for (int i = 0; i < 3; i++) {
      p.setLong(1, i);
      p.setString(2, "it's none");
      rows("prepared, run " + i, 1, p::executeQuery);
    }
    same("a prepared statement's columns", p.getMetaData().getColumnCount(), 2);
    same("a prepared statement's parameters", p.getParameterMetaData().getParameterCount(), 2);
    rows("most rows", 1, () -> {
      Statement s = c.createStatement();
      s.setMaxRows(1);
      return s.executeQuery("select * from calls");
    });
    try (ResultSet r = c.createStatement().executeQuery(
        "select infinity(), decimal '1.50', timestamp '2026-01-02 03:04:05.678901', array[1, 2], x'65', date '2026-01-02', row(1, 'a'), map(array['a'], array[1]), uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59', true")) {
      r.next();
      same("infinity", r.getDouble(1), Double.POSITIVE_INFINITY);
      same("decimal", r.getBigDecimal(2), "1.50");
      same("timestamp", r.getTimestamp(3), "2026-01-02 03:04:05.678901");
      same("array", ((Object[]) r.getArray(4).getArray())[1], 2);
      same("varbinary", r.getBytes(5)[0], 0x65);
      same("date", r.getDate(6), "2026-01-02");
      same("map", r.getObject(8), "{a=1}");
      same("uuid", r.getObject(9), "12151fd2-7586-11e9-8f9e-2a86e4085a59");
      same("boolean", r.getBoolean(10), true);
    }
    try {
      c.createStatement().executeQuery("select *\nfrom nothing");
      failed.add("a table that is not there is found");
    } catch (SQLException e) {
      same("number of an error", e.getErrorCode(), 46);
    }
    c.setSchema("gold");
    rows("another schema", 1, () -> c.createStatement().executeQuery("show tables"));
  }
}
