//go:build duckdb_arrow

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duckdb "github.com/duckdb/duckdb-go/v2"
)

type feed struct {
	schema *arrow.Schema
	next   arrow.RecordBatch
	cur    arrow.RecordBatch
}

func (f *feed) Retain()                        {}
func (f *feed) Release()                       {}
func (f *feed) Schema() *arrow.Schema          { return f.schema }
func (f *feed) Next() bool                     { f.cur, f.next = f.next, nil; return f.cur != nil }
func (f *feed) Record() arrow.RecordBatch      { return f.cur }
func (f *feed) RecordBatch() arrow.RecordBatch { return f.cur }
func (f *feed) Err() error                     { return nil }

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
func must(err error) {
	if err != nil {
		panic(err)
	}
}
func rss() string {
	b, _ := os.ReadFile("/proc/self/statm")
	var a, r int
	fmt.Sscan(string(b), &a, &r)
	return fmt.Sprint(r*4/1024, "MB")
}

func main() {
	var rows, ticks int
	fmt.Sscan(os.Args[1], &rows)
	fmt.Sscan(os.Args[2], &ticks)
	for _, variant := range os.Args[3:] {
		run(variant, rows, ticks)
	}
}

func run(variant string, rows, ticks int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, _ := os.MkdirTemp("/tmp/tarn/pf", "zz")
	defer os.RemoveAll(dir)
	c, err := duckdb.NewConnector(dir+"/s.duckdb", nil)
	must(err)
	db := sql.OpenDB(c)
	for _, s := range []string{"SET threads=1", "SET memory_limit='64MB'", "SET allocator_background_threads=true"} {
		_, err := db.Exec(s)
		must(err)
	}
	conn, err := db.Conn(ctx)
	must(err)
	schema := arrow.NewSchema([]arrow.Field{{Name: "auction", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "price", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "ts", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "_s", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "_p", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "_o", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "_wm", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "_fl", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	exec := func(q string, args ...any) { _, err := conn.ExecContext(ctx, q, args...); must(err) }
	f := &feed{schema: schema}
	mk := func(t int) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range rows {
			n := t*rows + i
			b.Field(0).(*array.Int64Builder).Append(int64(n % 500))
			b.Field(1).(*array.Int64Builder).Append(int64(n * 7 % 1001))
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(int64(n) * 109))
			b.Field(3).(*array.Int32Builder).Append(0)
			b.Field(4).(*array.Int32Builder).Append(int32(t % 2))
			b.Field(5).(*array.Int64Builder).Append(int64(n))
			b.Field(6).(*array.Int64Builder).Append(int64(n) * 109)
			b.Field(7).AppendNull()
		}
		return b.NewRecordBatch()
	}
	view := func(r array.RecordReader, name string) (release func()) {
		must(conn.Raw(func(dc any) error {
			a, err := duckdb.NewArrowFromConn(dc.(driver.Conn))
			must(err)
			release, err = a.RegisterView(r, name)
			return err
		}))
		return
	}
	if variant == "v2" || variant == "v3" || variant == "v1" || variant == "v4" || variant == "v5" {
		defer view(f, "v")()
	}
	b := mk(0)
	rd, _ := array.NewRecordReader(schema, []arrow.RecordBatch{b})
	rel := view(rd, "v0")
	exec("CREATE OR REPLACE TEMP TABLE in0 AS SELECT * FROM v0")
	rel()
	exec("DROP VIEW v0")
	exec("DELETE FROM in0")
	in := `SELECT auction, 1 AS _x0, price AS _x1, window_start AS _ws, window_end AS _we, _s,_p,_o,_wm,_fl FROM (SELECT *, make_timestamp(epoch_us(ts)//10000000*10000000) window_start, make_timestamp((epoch_us(ts)//10000000+1)*10000000) window_end FROM in0)`
	ins := `SELECT auction, _ws, _we, count(*) n, max(_x1) m, sum(_x1) s FROM (` + in + `) GROUP BY auction, _ws, _we`
	exec("CREATE TABLE s0 AS SELECT * FROM (" + ins + ") LIMIT 0")
	exec("CREATE TABLE outbox(_epoch BIGINT, a BIGINT)")
	exec("CREATE TABLE progress (doc VARCHAR)")
	exec("INSERT INTO progress VALUES ('{}')")
	prep := map[string]*sql.Stmt{}
	p := func(q string, args ...any) {
		s := prep[q]
		if s == nil {
			s, err = conn.PrepareContext(ctx, q)
			must(err)
			prep[q] = s
		}
		_, err := s.ExecContext(ctx, args...)
		must(err)
	}
	doc := fmt.Sprintf("%0500d", 0)
	var total time.Duration
	var wall time.Duration
	for t := range ticks {
		b := mk(t)
		c0, w0 := cpu(), time.Now()
		switch variant {
		case "v0":
			rd, _ := array.NewRecordReader(schema, []arrow.RecordBatch{b})
			name := fmt.Sprint("v", t+1)
			rel := view(rd, name)
			exec("CREATE OR REPLACE TEMP TABLE in0 AS SELECT * FROM " + name)
			exec("DROP VIEW IF EXISTS " + name)
			rel()
			exec("BEGIN")
			exec("INSERT INTO s0 " + ins)
			exec("DELETE FROM outbox WHERE _epoch <= 5")
			exec("UPDATE progress SET doc = ?", doc)
			exec("COMMIT")
		case "v1": // the view stays
			f.next = b
			exec("CREATE OR REPLACE TEMP TABLE in0 AS SELECT * FROM v")
			exec("BEGIN")
			exec("INSERT INTO s0 " + ins)
			exec("UPDATE progress SET doc = ?", doc)
			exec("COMMIT")
		case "v2": // and all is prepared
			f.next = b
			p("BEGIN")
			p("DELETE FROM in0")
			p("INSERT INTO in0 SELECT * FROM v")
			p("INSERT INTO s0 " + ins)
			p("UPDATE progress SET doc = ?", doc)
			p("COMMIT")
		case "v4": // delete, not prepared
			f.next = b
			exec("BEGIN")
			exec("DELETE FROM in0")
			exec("INSERT INTO in0 SELECT * FROM v")
			exec("INSERT INTO s0 " + ins)
			exec("UPDATE progress SET doc = ?", doc)
			exec("COMMIT")
		case "v5": // CTAS in the transaction, prepared
			f.next = b
			p("BEGIN")
			p("CREATE OR REPLACE TEMP TABLE in0 AS SELECT * FROM v")
			p("INSERT INTO s0 " + ins)
			p("UPDATE progress SET doc = ?", doc)
			p("COMMIT")
		}
		total += cpu() - c0
		wall += time.Since(w0)
		if t%(max(1, ticks/4)) == 0 {
			fmt.Print(rss(), " ")
		}
		b.Release()
	}
	var n, s int64
	must(conn.QueryRowContext(ctx, "SELECT sum(n)::BIGINT, sum(s)::BIGINT FROM s0").Scan(&n, &s))
	fmt.Printf("%s rows=%d ticks=%d cpu/tick=%.3fms wall/tick=%.3fms n=%d s=%d rss=%s\n", variant, rows, ticks, total.Seconds()*1000/float64(ticks), wall.Seconds()*1000/float64(ticks), n, s, rss())
	conn.Close()
	db.Close()
}
