//go:build duckdb_arrow

package duck_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
)

// TestZone: a connection takes times without a zone for those of its own until it is closed, in a sandbox too; its rows say that they are of UTC.
func TestZone(t *testing.T) {
	in, another := opened(t, duck.Options{Threads: 1, MemoryBytes: 64 << 20, Sandbox: true})
	const query = "SELECT t, [t], {'t': t}, MAP {t: t}, [t]::TIMESTAMPTZ[1] FROM (SELECT TIMESTAMPTZ '2026-07-01 12:00:00' t)"
	for _, of := range []struct{ zone, want string }{{"Europe/Paris", "2026-07-01 10:00:00"}, {"", "2026-07-01 12:00:00"}, {"Asia/Tokyo", "2026-07-01 03:00:00"}, {"", "2026-07-01 12:00:00"}} {
		c, err := in.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if of.zone != "" {
			if err := c.Zone(t.Context(), of.zone); err != nil {
				t.Fatal(err)
			}
		}
		r, err := c.Stream(t.Context(), query)
		if err != nil || !r.Next() {
			t.Fatal(err)
		}
		want := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		b := r.RecordBatch()
		nested := b.Column(3).DataType().(*arrow.MapType)
		for i, got := range []arrow.DataType{
			b.Column(0).DataType(), b.Column(1).DataType().(*arrow.ListType).Elem(), b.Column(2).DataType().(*arrow.StructType).Field(0).Type,
			nested.KeyType(), nested.ItemType(), b.Column(4).DataType().(*arrow.FixedSizeListType).Elem(), r.Schema().Field(0).Type,
		} {
			if !arrow.TypeEqual(got, want) {
				t.Errorf("in %q type %d is %s", of.zone, i, got)
			}
		}
		if got := b.Column(0).(*array.Timestamp).Value(0).ToTime(arrow.Microsecond).Format("2006-01-02 15:04:05"); got != of.want {
			t.Errorf("in %q it is %s, want %s", of.zone, got, of.want)
		}
		r.Release()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := another.Zone(t.Context(), "Nowhere/Else"); err == nil {
		t.Error("there is a zone Nowhere/Else")
	}
}
