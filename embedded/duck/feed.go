//go:build duckdb_arrow

package duck

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go/v2"
)

// feedCatalog holds the views of Fill: in memory, or each would be written into the database's file.
const feedCatalog = "tarn_arrow"

// What Fill puts into a table that is there. Above, and after so many, the table is made anew: taking
// rows out of it costs by the row, and leaves room behind.
const (
	feedRowsMax  = 2_000
	feedHeldMax  = 20_000
	feedBytesMax = 4 << 20
)

// A table of more than BlockRows rows has at least BlockBytes for each of its columns.
const (
	BlockRows  = 2048
	BlockBytes = 256 << 10
)

// feed is an Arrow stream behind one view that is read once for each Fill.
type feed struct {
	schema  *arrow.Schema
	view    string
	batches []arrow.RecordBatch // to be read
	current arrow.RecordBatch
	held    int64 // rows that the table has had since it was made; 0 before
	bytes   int64 // of them
	release func()
}

// Fill makes the rows of batches those of a temporary table, like Load, for tables that are filled again and
// again: the view stays, and so does the table mostly. Feed comes before.
func (c *Conn) Fill(ctx context.Context, table string, batches []arrow.RecordBatch) (err error) {
	f := c.feeds[table]
	if f == nil {
		return fmt.Errorf("load %s: it has no feed", table)
	}
	var rows, bytes int64
	for _, b := range batches {
		rows += b.NumRows()
		bytes += Bytes(b)
	}
	f.batches = batches
	defer func() { f.batches, f.current = nil, nil }() // nothing is left for the next time
	from := " SELECT * FROM " + feedCatalog + "." + Ident(f.view)
	heldMax := int64(feedHeldMax)
	if f.schema.NumFields()*BlockBytes > feedBytesMax {
		heldMax = BlockRows
	}
	if f.held == 0 || rows > feedRowsMax || f.held+rows > heldMax || f.bytes+bytes > feedBytesMax {
		err = c.Exec(ctx, "CREATE OR REPLACE TEMP TABLE "+Ident(table)+" AS"+from)
		f.held, f.bytes = 0, 0
	} else if _, err = c.Always(ctx, "DELETE FROM "+Ident(table)); err == nil {
		_, err = c.Always(ctx, "INSERT INTO "+Ident(table)+from)
	}
	if err != nil {
		f.held = 0
		return fmt.Errorf("load %s: %w", table, err)
	}
	f.held += max(rows, 1)
	f.bytes += bytes
	return nil
}

// Feed makes ready to Fill a table with batches of a schema from now on; not within a transaction.
func (c *Conn) Feed(ctx context.Context, table string, schema *arrow.Schema) error {
	old := c.feeds[table]
	if old != nil && old.schema.Equal(schema) {
		return nil
	}
	if old != nil {
		delete(c.feeds, table)
		if err := c.end(ctx, old); err != nil {
			return fmt.Errorf("load %s: %w", table, err)
		}
	}
	f, err := c.feed(ctx, schema)
	if err != nil {
		return fmt.Errorf("load %s: %w", table, err)
	}
	if c.feeds == nil {
		c.feeds = map[string]*feed{}
	}
	c.feeds[table] = f
	return nil
}

// feed makes a view.
func (c *Conn) feed(ctx context.Context, schema *arrow.Schema) (*feed, error) {
	f := &feed{schema: schema, view: fmt.Sprintf("feed_%d", c.instance.loads.Add(1))}
	var home string
	if err := c.QueryRowContext(ctx, "SELECT current_database()").Scan(&home); err != nil {
		return nil, err
	}
	for _, set := range []string{"ATTACH IF NOT EXISTS ':memory:' AS " + feedCatalog, "USE " + feedCatalog} {
		if err := c.Exec(ctx, set); err != nil {
			return nil, err
		}
	}
	err := c.raw(func(a *duckdb.Arrow) (err error) {
		f.release, err = a.RegisterView(f, f.view)
		return err
	})
	if err := errors.Join(err, c.Exec(context.WithoutCancel(ctx), "USE "+Ident(home))); err != nil {
		return nil, err
	}
	return f, nil
}

// unfeed takes the views away, which are the instance's and not the connection's.
func (c *Conn) unfeed() error {
	var errs []error
	for _, f := range c.feeds {
		errs = append(errs, c.end(context.Background(), f))
	}
	c.feeds = nil
	return errors.Join(errs...)
}

func (c *Conn) end(ctx context.Context, f *feed) error {
	defer f.release()
	return c.Exec(context.WithoutCancel(ctx), "DROP VIEW IF EXISTS "+feedCatalog+"."+Ident(f.view))
}

// Next goes on to the next batch. After the last the stream is at its end, until there are others.
func (f *feed) Next() bool {
	if len(f.batches) == 0 {
		f.current = nil
		return false
	}
	f.current, f.batches = f.batches[0], f.batches[1:]
	return true
}

func (f *feed) Schema() *arrow.Schema          { return f.schema }
func (f *feed) RecordBatch() arrow.RecordBatch { return f.current }
func (f *feed) Record() arrow.RecordBatch      { return f.current }
func (f *feed) Err() error                     { return nil }
func (f *feed) Retain()                        {}
func (f *feed) Release()                       {}

// Bytes is how much memory a batch has, about.
func Bytes(b arrow.RecordBatch) (bytes int64) {
	for _, c := range b.Columns() {
		bytes += int64(c.Data().SizeInBytes()) //nolint:gosec // it is in memory
	}
	return bytes
}
