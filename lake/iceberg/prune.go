//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// only are the files that a reader reads who asks for rows by conditions, and about how many rows those are.
func (f *fileSet) only(where []catalog.Condition) (out []catalog.File, rows int64) {
	for _, d := range f.live() {
		if slices.ContainsFunc(where, func(c catalog.Condition) bool { return d.without(c) }) {
			continue
		}
		out = append(out, f.described(d))
		least := d.rows
		for _, c := range where {
			least = min(least, d.about(c))
		}
		rows += least
	}
	return out, rows
}

// about is how many rows of the file meet a condition, if whole numbers are spread evenly between their bounds; all where it cannot be told.
func (d dataFile) about(c catalog.Condition) int64 {
	low, ok := wholeNumber(d.lower[c.Column.ID])
	high, ok2 := wholeNumber(d.upper[c.Column.ID])
	if !ok || !ok2 || c.Op != "=" || c.Column.Type == record.String || high < low {
		return d.rows
	}
	return min(d.rows, int64(float64(d.rows)/(float64(high)-float64(low)+1)*float64(len(c.Values)))+1)
}

// without tells that by its bounds no row of the file meets a condition. A file has none of a column that is newer, or all
// of whose values are null.
func (d dataFile) without(c catalog.Condition) bool {
	lower, ok := d.lower[c.Column.ID]
	upper, ok2 := d.upper[c.Column.ID]
	if !ok || !ok2 {
		return false
	}
	return !slices.ContainsFunc(c.Values, func(value any) bool { return mayBe(c, value, lower, upper) })
}

// mayBe tells whether a value between two bounds may compare so with one.
func mayBe(c catalog.Condition, value any, lower, upper []byte) bool {
	var low, high int // how the bounds compare with the value; 0 also for what cannot be told
	switch v := value.(type) {
	case int64:
		l, ok := wholeNumber(lower)
		u, ok2 := wholeNumber(upper)
		if !ok || !ok2 || (c.Column.Type == record.Timestamp || c.Column.Type == record.TimestampTZ) && len(lower)+len(upper) != 16 { // of what was a date
			return true
		}
		low, high = cmp.Compare(l, v), cmp.Compare(u, v)
	case string: // a bound may be the beginning of a long text: the greatest one is made greater then, but not by every writer
		low, high = cmp.Compare(string(lower), v), cmp.Compare(string(upper), v)
		if strings.HasPrefix(v, string(upper)) {
			high = 1
		}
	default:
		return true
	}
	switch c.Op {
	case "=":
		return low <= 0 && high >= 0
	case "<":
		return low < 0
	case "<=":
		return low <= 0
	case ">":
		return high > 0
	case ">=":
		return high >= 0
	}
	return true
}

// mayHold lists the files that may hold one of the keys, by the bounds of the first
// key column. What cannot be told stays in.
func mayHold(files []dataFile, first table.Column, keys []arrow.RecordBatch) []string {
	numbers, texts, known := sortedKeys(first.Type, keys)
	out := make([]string, 0, len(files))
	for _, f := range files {
		lower, upper := f.lower[first.ID], f.upper[first.ID]
		if known && lower != nil && upper != nil && !within(lower, upper, numbers, texts) {
			continue
		}
		out = append(out, f.path)
	}
	return out
}

// within tells whether one of the sorted keys lies between two bounds.
func within(lower, upper []byte, numbers []int64, texts []string) bool {
	if texts != nil {
		i, _ := slices.BinarySearch(texts, string(lower))
		return i < len(texts) && texts[i] <= string(upper)
	}
	low, ok := wholeNumber(lower)
	high, ok2 := wholeNumber(upper)
	if !ok || !ok2 {
		return true
	}
	i, _ := slices.BinarySearch(numbers, low)
	return i < len(numbers) && numbers[i] <= high
}

// wholeNumber reads an int's or a long's bound in Iceberg's serialization; an int's stays
// in the metadata after its column has become a long.
func wholeNumber(b []byte) (int64, bool) {
	switch len(b) {
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b))), true //nolint:gosec // two's complement
	case 8:
		return int64(binary.LittleEndian.Uint64(b)), true //nolint:gosec // two's complement
	}
	return 0, false
}

// sortedKeys returns the first key column's values, sorted, if they are whole numbers or
// texts without a null.
func sortedKeys(t record.Type, keys []arrow.RecordBatch) (numbers []int64, texts []string, known bool) {
	if t != record.Int && t != record.Long && t != record.String {
		return nil, nil, false // a UUID, for one, comes here as a text
	}
	for _, b := range keys {
		if b.Column(0).NullN() > 0 {
			return nil, nil, false
		}
		switch a := b.Column(0).(type) {
		case *array.Int32:
			for _, v := range a.Values() {
				numbers = append(numbers, int64(v))
			}
		case *array.Int64:
			numbers = append(numbers, a.Values()...)
		case *array.String:
			for i := range a.Len() {
				texts = append(texts, a.Value(i))
			}
		default:
			return nil, nil, false
		}
	}
	slices.Sort(numbers)
	slices.Sort(texts)
	return numbers, texts, numbers == nil != (texts == nil)
}
