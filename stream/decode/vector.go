package decode

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// vector is a column that grows. Arrow's builders cannot take a value back, which a record that
// turns out wrong at its last byte asks for, and cost as much as the reading; so values are kept
// in Go's slices, which become the array's buffers as they are.
type vector struct {
	n     int     // rows, with the one in hand once it has its value
	nums  []int64 // of all types but texts and bytes; a decimal has two, the lower half first
	bytes []byte  // of texts, binaries and uuids, one behind the other
	ends  []int32 // where each text and binary ends, behind a first 0
	valid []byte  // a bit for each row; empty while no row is null
	nulls int
}

// bytesMax is what Arrow's offsets of 32 bits reach.
const bytesMax = math.MaxInt32

// grown makes a vector with room for as many values as the one before had.
func (v *vector) grown(k kind) vector {
	var out vector
	out.nums = make([]int64, 0, len(v.nums))
	out.bytes = make([]byte, 0, len(v.bytes))
	if k == stringKind || k == binaryKind {
		out.ends = append(make([]int32, 0, len(v.ends)+1), 0)
	}
	return out
}

func (v *vector) num(n int64) { v.nums = append(v.nums, n) }

// full ends a row whose value is there.
func (v *vector) full(k kind) {
	if k == stringKind || k == binaryKind {
		v.ends = append(v.ends, int32(len(v.bytes))) //nolint:gosec // bytesMax bounds it
	}
	if v.n++; len(v.valid) > 0 {
		v.mark(true)
	}
}

// null adds a row without a value.
func (v *vector) null(k kind) {
	switch k {
	case otherKind:
	case stringKind, binaryKind:
		v.ends = append(v.ends, int32(len(v.bytes))) //nolint:gosec // bytesMax bounds it
	case uuidKind:
		v.bytes = append(v.bytes, make([]byte, uuidBytes)...)
	case decimalKind:
		v.nums = append(v.nums, 0, 0)
	default:
		v.nums = append(v.nums, 0)
	}
	if len(v.valid) == 0 {
		v.valid = make([]byte, (v.n+8)/8, max(cap(v.valid), (v.n+8)/8))
		for i := range v.valid {
			v.valid[i] = math.MaxUint8
		}
	}
	v.n++
	v.nulls++
	v.mark(false)
}

// mark sets the bit of the last row.
func (v *vector) mark(valid bool) {
	if (v.n+7)/8 > len(v.valid) {
		v.valid = append(v.valid, 0)
	}
	bitutil.SetBitTo(v.valid, v.n-1, valid)
}

func (v *vector) isNull(row int) bool { return len(v.valid) > 0 && !bitutil.BitIsSet(v.valid, row) }

// cut takes back what is there of the rows from the nth on, of which there is at most one.
func (v *vector) cut(n int, k kind) {
	if v.n > n {
		if v.isNull(n) {
			v.nulls--
		}
		v.n = n
	}
	switch k {
	case otherKind:
	case stringKind, binaryKind:
		v.ends = v.ends[:n+1]
		v.bytes = v.bytes[:v.ends[n]]
	case uuidKind:
		v.bytes = v.bytes[:n*uuidBytes]
	case decimalKind:
		v.nums = v.nums[:2*n]
	default:
		v.nums = v.nums[:n]
	}
}

// array makes the rows an array of the type, which takes the slices over.
func (v *vector) array(t arrow.DataType, k kind) arrow.Array {
	if k == otherKind {
		return array.NewNull(v.n)
	}
	var valid *memory.Buffer
	if v.nulls > 0 {
		valid = memory.NewBufferBytes(v.valid)
	}
	buffers := []*memory.Buffer{valid}
	switch k {
	case stringKind, binaryKind:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(v.ends)), memory.NewBufferBytes(v.bytes))
	case uuidKind:
		buffers = append(buffers, memory.NewBufferBytes(v.bytes))
	default:
		buffers = append(buffers, memory.NewBufferBytes(v.packed(k)))
	}
	data := array.NewData(t, v.n, buffers, nil, v.nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// packed is the numbers as the column's type has them.
func (v *vector) packed(k kind) []byte {
	switch k {
	case booleanKind:
		out := make([]byte, (v.n+7)/8)
		for i, n := range v.nums {
			bitutil.SetBitTo(out, i, n != 0)
		}
		return out
	case intKind, dateKind:
		out := make([]int32, len(v.nums))
		for i, n := range v.nums {
			out[i] = int32(n) //nolint:gosec // inRange told so
		}
		return arrow.Int32Traits.CastToBytes(out)
	case floatKind:
		out := make([]float32, len(v.nums))
		for i, n := range v.nums {
			out[i] = float32(math.Float64frombits(uint64(n))) //nolint:gosec // only bits count
		}
		return arrow.Float32Traits.CastToBytes(out)
	}
	return arrow.Int64Traits.CastToBytes(v.nums)
}
