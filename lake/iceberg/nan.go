//go:build duckdb_arrow

package iceberg

import (
	"iter"
	"math"
	"strconv"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/lake/table"
)

// nanColumns look for NaN in rows that are written: the bounds of a column leave it out, so a reader who goes by them has to know of it. The
// library does not count it.
type nanColumns []*nanColumn

type nanColumn struct {
	id, at int
	found  atomic.Bool // the library reads rows and tells files in two goroutines
}

// nansOf are those of a schema's columns of floats. Lists of them have no bounds.
func nansOf(schema *arrow.Schema) (out nanColumns) {
	for i, f := range schema.Fields() {
		told, _ := f.Metadata.GetValue(table.FieldIDKey)
		id, err := strconv.Atoi(told)
		if err == nil && (f.Type.ID() == arrow.FLOAT32 || f.Type.ID() == arrow.FLOAT64) {
			out = append(out, &nanColumn{id: id, at: i})
		}
	}
	return out
}

// in yields rows as they are, and looks at them.
func (n nanColumns) in(rows iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	if len(n) == 0 {
		return rows
	}
	return func(yield func(arrow.RecordBatch, error) bool) {
		for b, err := range rows {
			if err == nil {
				for _, c := range n {
					if !c.found.Load() && hasNaN(b.Column(c.at)) {
						c.found.Store(true)
					}
				}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// none counts those of a file whose rows have all been yielded: 0 of a column without any, and nothing of one that may have some.
func (n nanColumns) none() map[int]int64 {
	out := map[int]int64{}
	for _, c := range n {
		if !c.found.Load() {
			out[c.id] = 0
		}
	}
	return out
}

// hasNaN also looks at what lies in the cells of nulls.
func hasNaN(a arrow.Array) bool {
	switch a := a.(type) {
	case *array.Float32:
		return anyNaN(a.Float32Values())
	case *array.Float64:
		return anyNaN(a.Float64Values())
	}
	return true
}

func anyNaN[T float32 | float64](values []T) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) {
			return true
		}
	}
	return false
}
