"""What psycopg 2 and 3 and SQLAlchemy's ORM write: argument 1 is a DSN. A real PostgreSQL passes it, too."""
import datetime
import decimal
import sys

import psycopg
import psycopg2
import sqlalchemy as sa
from postgres_clients import check, end
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

D = decimal.Decimal


def state(f):
    """The SQLSTATE that f is refused with."""
    try:
        f()
    except psycopg.Error as e:
        return e.sqlstate


def with_psycopg3(dsn):
    c = psycopg.connect(dsn, autocommit=True)
    c.execute("create table gold.p (id int primary key, name text not null, price numeric(10, 2), at timestamptz)")

    def ask(text, args=None):
        cursor = c.execute(text, args)
        return cursor.statusmessage, cursor.description and cursor.fetchall()

    check("insert returning", lambda: ask("insert into gold.p values (%s, %s, %s, %s) returning *", (1, "a", D("1.50"), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc))),
          ("INSERT 0 1", [(1, "a", D("1.50"), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc))]))
    check("fewer values", lambda: ask("insert into gold.p values (2, 'b'), (3, 'c') returning id, price"), ("INSERT 0 2", [(2, None), (3, None)]))
    check("default", lambda: ask("insert into gold.p values (4, 'd', default, default)"), ("INSERT 0 1", None))
    check("default values", lambda: state(lambda: c.execute("insert into gold.p default values")), "23502")
    check("null", lambda: state(lambda: c.execute("insert into gold.p (id) values (9) returning id")), "23502")
    check("more values", lambda: state(lambda: c.execute("insert into gold.p values (1, 'a', 1, now(), 5)")), "42601")
    check("fewer than named", lambda: state(lambda: c.execute("insert into gold.p (id, name) values (1)")), "42601")
    check("update returning", lambda: ask("update gold.p as x set price = coalesce(price, 0) + %s where id < %s returning x.id, price, price * 2 as twice", (D("0.25"), 3)),
          lambda r: r[0] == "UPDATE 2" and sorted(r[1]) == [(1, D("1.75"), D("3.50")), (2, D("0.25"), D("0.50"))])
    check("delete returning", lambda: ask("delete from gold.p where id = %s returning name", (4,)), ("DELETE 1", [("d",)]))
    check("nothing returned", lambda: ask("delete from gold.p where id = 77 returning id"), ("DELETE 0", []))
    check("returning binary", lambda: c.cursor(binary=True).execute("update gold.p set name = name where id = 1 returning id, name, price").fetchall(), [(1, "a", D("1.75"))])
    check("no such column", lambda: state(lambda: c.execute("insert into gold.p values (5, 'e') returning nope")), "42703")
    check("upsert", lambda: ask("insert into gold.p (id, name) values (1, 'z'), (5, 'e') on conflict (id) do update set name = excluded.name || p.name returning id, name"), ("INSERT 0 2", [(1, "za"), (5, "e")]))
    check("upsert with parameters", lambda: ask("insert into gold.p (id, name, price) values (%s, %s, %s) on conflict (id) do update set price = %s where p.price > %s", (1, "z", 1, D("9.99"), 1)), ("INSERT 0 1", None))
    check("nothing on conflict", lambda: ask("insert into gold.p (id, name) values (1, 'q'), (6, 'f') on conflict do nothing returning id"), ("INSERT 0 1", [(6,)]))
    check("twice", lambda: state(lambda: c.execute("insert into gold.p (id, name) values (7, 'a'), (7, 'b') on conflict (id) do update set name = excluded.name")), "21000")
    check("no such key", lambda: state(lambda: c.execute("insert into gold.p (id, name) values (7, 'a') on conflict (name) do nothing")), "42P10")
    check("excluded", lambda: state(lambda: c.execute("insert into gold.p (id, name) values (7, 'a') on conflict (id) do update set name = excluded.nope")), "42703")
    check("all", lambda: c.execute("select id, name, price from gold.p order by id").fetchall(),
          [(1, "za", D("9.99")), (2, "b", D("0.25")), (3, "c", None), (5, "e", None), (6, "f", None)])

    def many():
        cursor = c.cursor()
        cursor.executemany("insert into gold.p (id, name) values (%s, %s) on conflict (id) do update set name = excluded.name returning id, name", [(2, "bb"), (8, "h")], returning=True)
        out = [cursor.fetchall()]
        while cursor.nextset():
            out.append(cursor.fetchall())
        return out

    check("executemany returning", many, [[(2, "bb")], [(8, "h")]])

    def staged():
        with c.transaction(), c.cursor() as cursor:
            cursor.execute("create temp table staged (like gold.p including defaults) on commit drop")
            with cursor.copy("copy staged (id, name) from stdin") as copy:
                copy.write_row((2, "staged"))
                copy.write_row((9, "new"))
            cursor.execute("update staged set price = id where id = 9")
            cursor.execute("insert into gold.p select * from staged on conflict (id) do update set name = excluded.name, price = excluded.price")
        return c.execute("select id, name, price from gold.p where id in (2, 9) order by id").fetchall(), state(lambda: c.execute("select * from staged"))

    check("staged", staged, ([(2, "staged", None), (9, "new", D("9.00"))], "42P01"))
    old = psycopg2.connect(dsn)
    old.autocommit = True
    with old.cursor() as cursor:
        from psycopg2.extras import execute_values
        check("execute_values", lambda: execute_values(cursor, "insert into gold.p (id, name) values %s on conflict (id) do update set name = excluded.name returning id", [(20, "x"), (1, "y")], fetch=True), [(20,), (1,)])
    old.close()
    merge = "merge into gold.p using (values (1, 'm'), (30, 'n')) s(id, name) on p.id = s.id "
    check("merge", lambda: ask(merge + "when matched then update set name = p.name || s.name when not matched and id > 1 then insert (id, name) values (id, name || id::text)"), ("MERGE 2", None))
    check("merged", lambda: c.execute("select name from gold.p where id in (1, 30) order by id").fetchall(), [("ym",), ("n30",)])
    check("ambiguous", lambda: state(lambda: c.execute(merge + "when matched then update set name = name || 'x'")), "42702")
    check("not of the source", lambda: state(lambda: c.execute(merge + "when not matched then insert (id, name, price) values (id, name, price)")), "42703")
    check("rename a column", lambda: c.execute("alter table gold.p rename column price to cost") and c.execute("select cost from gold.p where id = 9").fetchall(), [(D("9.00"),)])
    check("name taken", lambda: state(lambda: c.execute("alter table gold.p rename name to cost")), "42701")
    c.execute("create view gold.pv as select cost from gold.p")
    check("drop a column of a view", lambda: state(lambda: c.execute("alter table gold.p drop column cost")), "2BP01")
    c.execute("drop view gold.pv")
    check("drop a column", lambda: c.execute("alter table gold.p drop column cost, drop column if exists nope, alter column name drop not null") and c.execute("insert into gold.p (id) values (40) returning *").fetchall(), [(40, None, None)])
    check("no such column", lambda: state(lambda: c.execute("alter table gold.p drop cost")), "42703")
    c.execute("drop table gold.p")
    c.close()


class Base(DeclarativeBase):
    pass


class Ship(Base):
    __tablename__ = "ships"
    __table_args__ = {"schema": "gold"}
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    tons: Mapped[D | None] = mapped_column(sa.Numeric(12, 2))
    flag: Mapped[str | None] = mapped_column(server_default=sa.FetchedValue())  # as of a trigger: the ORM asks for it by RETURNING
    __mapper_args__ = {"eager_defaults": True}


def with_sqlalchemy(dsn):
    d = psycopg.conninfo.conninfo_to_dict(dsn)
    for driver in ("psycopg2", "psycopg"):
        e = sa.create_engine(sa.URL.create(f"postgresql+{driver}", d.get("user"), d.get("password"), d.get("host"), int(d.get("port", 5432)), d.get("dbname")))
        ok = lambda name, f, want=None: check(f"sqlalchemy {driver} {name}", f, want)
        ok("create_all", lambda: Base.metadata.create_all(e) or True)
        with Session(e) as s:
            def added():
                ship = Ship(id=1, name="Ann", tons=D("10.50"))
                s.add(ship)
                s.flush()
                s.commit()
                return ship.flag, ship.tons
            ok("add and flush", added, (None, D("10.50")))
            ok("add_all", lambda: (s.add_all(Ship(id=i, name=f"ship {i}") for i in range(2, 30)), s.commit()) and s.scalar(sa.select(sa.func.count()).select_from(Ship)), 29)
            ok("bulk insert returning", lambda: s.scalars(sa.insert(Ship).returning(Ship, sort_by_parameter_order=True), [{"id": i, "name": f"ship {i}"} for i in range(100, 103)]).all(), lambda r: [x.id for x in r] == [100, 101, 102])
            s.commit()

            def changed():
                ship = s.get(Ship, 2)
                ship.name = "changed"
                s.commit()
                return s.get(Ship, 2).name
            ok("change and flush", changed, "changed")
            ok("update returning", lambda: s.scalars(sa.update(Ship).where(Ship.id > 99).values(tons=5).returning(Ship.id)).all(), lambda r: sorted(r) == [100, 101, 102])
            up = insert(Ship).values([{"id": 1, "name": "again", "tons": 7}, {"id": 200, "name": "new", "tons": 8}])
            up = up.on_conflict_do_update(index_elements=[Ship.id], set_={"name": up.excluded.name, "tons": Ship.tons + up.excluded.tons}, where=Ship.id < 1000).returning(Ship.id, Ship.name, Ship.tons)
            ok("upsert", lambda: sorted(tuple(r) for r in s.execute(up).all()), [(1, "again", D("17.50")), (200, "new", D("8.00"))])
            ok("upsert of many", lambda: s.execute(insert(Ship).on_conflict_do_nothing(), [{"id": 1, "name": "no"}, {"id": 201, "name": "yes"}]) and s.commit() is None)
            ok("delete returning", lambda: s.scalars(sa.delete(Ship).where(Ship.id >= 200).returning(Ship.name)).all(), lambda r: sorted(r) == ["new", "yes"])
            ok("delete and flush", lambda: (s.delete(s.get(Ship, 3)), s.commit(), s.get(Ship, 3))[2] is None, True)
        ok("drop_all", lambda: Base.metadata.drop_all(e) or True)
        e.dispose()


if __name__ == "__main__":
    for f in (with_psycopg3, with_sqlalchemy):
        check(f.__name__, lambda: f(sys.argv[1]) or True)
    end()
