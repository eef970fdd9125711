package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
	"tarn/sql/rest"
)

// answers is a Gate that gives one answer, and an error after `fails` batches.
type answers struct {
	batches []arrow.RecordBatch
	err     error // of Run
	fails   error // of the reader, after its batches
}

func (a *answers) Run(context.Context, engine.Request) (*engine.Result, error) {
	if a.err != nil {
		return nil, a.err
	}
	schema := a.batches[0].Schema()
	all, err := array.NewRecordReader(schema, a.batches)
	if err != nil {
		return nil, err
	}
	return &engine.Result{Schema: schema, Reader: &failing{all, a.fails}, Snapshots: map[string]int64{"silver.calls": math.MaxInt64}}, nil
}

type failing struct {
	array.RecordReader
	err error
}

func (f *failing) Err() error { return f.err }

func batch(t *testing.T, fields []arrow.Field, fill func(b *array.RecordBuilder)) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	fill(b)
	return b.NewRecordBatch()
}

func mixed(t *testing.T) arrow.RecordBatch {
	return batch(t, []arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "x", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
		{Name: "t", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
		{Name: "n", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}, func(b *array.RecordBuilder) {
		b.Field(0).(*array.Int64Builder).AppendValues([]int64{math.MinInt64, 0}, []bool{true, false})
		b.Field(1).(*array.Float64Builder).AppendValues([]float64{math.NaN(), 2}, nil)
		b.Field(2).(*array.StringBuilder).AppendValues([]string{"a\"b,\n<é>\x01", ""}, nil)
		b.Field(3).(*array.BinaryBuilder).AppendValues([][]byte{{0, 255}, nil}, []bool{true, false})
		b.Field(4).(*array.Decimal128Builder).AppendValues([]decimal128.Num{decimal128.FromI64(-1205), {}}, []bool{true, false})
		b.Field(5).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{1_700_000_000_123_456, 0}, []bool{true, false})
		l := b.Field(6).(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
		l.AppendNull()
		b.Field(7).(*array.BooleanBuilder).AppendValues([]bool{true, false}, nil)
	})
}

func post(t *testing.T, run rest.Runner, accept, body string) (*http.Response, string) {
	t.Helper()
	s := httptest.NewServer(rest.Handler(run, guard.Open{}, slog.New(slog.NewTextHandler(io.Discard, nil))))
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "cut: " + err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, "cut: " + string(text)
	}
	return resp, string(text)
}

func TestJSON(t *testing.T) {
	resp, got := post(t, &answers{batches: []arrow.RecordBatch{mixed(t)}}, "", "SELECT 1")
	i := strings.Index(got, `],"stats":`)
	if resp.StatusCode != 200 || i < 0 || !json.Valid([]byte(got)) {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	want := `{"columns":[{"name":"n","type":"BIGINT"},{"name":"x","type":"DOUBLE"},{"name":"s","type":"VARCHAR"},{"name":"b","type":"BLOB"},` +
		`{"name":"d","type":"DECIMAL(10,2)"},{"name":"t","type":"TIMESTAMP WITH TIME ZONE"},{"name":"l","type":"BIGINT[]"},{"name":"n","type":"BOOLEAN"}],"rows":[` + "\n" +
		`[-9223372036854775808,"NaN","a\"b,\n<é>\u0001","AP8=","-12.05","2023-11-14T22:13:20.123456Z",[1,2],true],` + "\n" +
		`[null,2.0,"",null,null,null,null,false]`
	if got[:i] != want {
		t.Errorf("got\n%s\nwant\n%s", got[:i], want)
	}
	var tail struct {
		Stats struct {
			Rows      int64
			Snapshots map[string]int64
		}
	}
	if err := json.Unmarshal([]byte(got), &tail); err != nil || tail.Stats.Rows != 2 || tail.Stats.Snapshots["silver.calls"] != math.MaxInt64 {
		t.Errorf("stats %+v, %v", tail, err)
	}
}

func TestLinesAndCSV(t *testing.T) {
	run := &answers{batches: []arrow.RecordBatch{mixed(t)}}
	_, lines := post(t, run, "application/x-ndjson", "SELECT 1")
	if want := `{"n":null,"x":2.0,"s":"","b":null,"d":null,"t":null,"l":null,"n":false}` + "\n"; !strings.HasSuffix(lines, want) {
		t.Errorf("got %s", lines)
	}
	_, text := post(t, run, "text/csv;q=1", "SELECT 1")
	want := "n,x,s,b,d,t,l,n\n-9223372036854775808,NaN,\"a\"\"b,\n<é>\x01\",AP8=,-12.05,2023-11-14T22:13:20.123456Z,\"[1,2]\",true\n,2.0,\"\",,,,,false\n"
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestArrow(t *testing.T) {
	_, text := post(t, &answers{batches: []arrow.RecordBatch{mixed(t), mixed(t)}}, "application/vnd.apache.arrow.stream", "SELECT 1")
	r, err := ipc.NewReader(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for r.Next() {
		n += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || n != 4 {
		t.Fatalf("%d rows, %v", n, r.Err())
	}
}

func TestErrors(t *testing.T) {
	secret := errors.New("open /srv/tarn/warehouse/x: no")
	for name, c := range map[string]struct {
		err    error
		status int
		part   string
	}{
		"syntax":   {&fault.Error{Code: fault.Syntax, Message: "near FORM", Hint: "write FROM", Line: 1, Column: 10}, 400, `"line":1,"column":10`},
		"denied":   {fault.New(fault.Denied, "no", ""), 403, `"code":"denied"`},
		"timeout":  {context.DeadlineExceeded, 408, "sql.timeout"},
		"toolarge": {fault.New(fault.TooLarge, "no", ""), 413, `too_large`},
		"defect":   {secret, 500, `"code":"internal"`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, got := post(t, &answers{err: c.err}, "text/csv", "SELECT 1")
			if resp.StatusCode != c.status || !strings.Contains(got, c.part) || strings.Contains(got, "/srv") {
				t.Fatalf("%d %s", resp.StatusCode, got)
			}
		})
	}
	resp, _ := post(t, &answers{}, "", strings.Repeat("x", 2<<20))
	if resp.StatusCode != 413 {
		t.Errorf("2 MB statement: %d", resp.StatusCode)
	}
}

func TestAnErrorAfterRowsIsNeverAWholeAnswer(t *testing.T) {
	many := batch(t, []arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, func(b *array.RecordBuilder) {
		for i := range int64(200_000) {
			b.Field(0).(*array.Int64Builder).Append(i)
		}
	})
	run := &answers{batches: []arrow.RecordBatch{many}, fails: fault.New(fault.Timeout, "the statement took too long", "ask for less")}
	_, lines := post(t, run, "application/x-ndjson", "SELECT 1")
	if want := `{"error":{"code":"timeout","message":"the statement took too long","hint":"ask for less"}}` + "\n"; !strings.HasSuffix(lines, want) {
		t.Errorf("lines end in %q", lines[len(lines)-100:])
	}
	_, text := post(t, run, "", "SELECT 1")
	if !strings.HasSuffix(text, `],"error":{"code":"timeout","message":"the statement took too long","hint":"ask for less"}}`+"\n") || !json.Valid([]byte(text)) {
		t.Errorf("JSON ends in %q", text[len(text)-100:])
	}
	if _, text := post(t, run, "text/csv", "SELECT 1"); !strings.HasPrefix(text, "cut: ") {
		t.Errorf("CSV came whole")
	}
	run.batches = []arrow.RecordBatch{mixed(t)}
	if resp, _ := post(t, run, "text/csv", "SELECT 1"); resp.StatusCode != 408 {
		t.Errorf("an error among the first rows: %d", resp.StatusCode)
	}
}
