package proof

import (
	"fmt"
	"math"
	"strings"
)

// value makes a value of a storage class, often one at its edge. big bounds a text's
// bytes; 0 means small ones only.
func (w *Writer) value(aff Affinity, big int) any {
	switch aff {
	case Integer:
		edges := []int64{math.MaxInt64, math.MinInt64, 0, -1, 1<<53 + 1}
		if w.rnd.IntN(8) == 0 {
			return edges[w.rnd.IntN(len(edges))]
		}
		return w.rnd.Int64N(1_000_000)
	case Real:
		edges := []float64{
			math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64,
			0.1, 1e21, 123456789012345680, 5, math.NaN(), // SQLite makes null of NaN
		}
		if w.rnd.IntN(4) == 0 {
			return edges[w.rnd.IntN(len(edges))]
		}
		return w.rnd.NormFloat64() * 1e6
	case Blob:
		b := make([]byte, w.rnd.IntN(40))
		for i := range b {
			b[i] = byte(w.rnd.Uint32())
		}
		return b
	case Numeric:
		return w.numeric()
	}
	if big > 0 && w.rnd.IntN(400) == 0 {
		return strings.Repeat("Tanger Med é ", w.rnd.IntN(big/13))
	}
	return w.text()
}

// numeric is what people put into columns of money, times and truth.
func (w *Writer) numeric() any {
	switch w.rnd.IntN(6) {
	case 0:
		return fmt.Sprintf("2026-%02d-%02d %02d:00:00", 1+w.rnd.IntN(12), 1+w.rnd.IntN(28), w.rnd.IntN(24))
	case 1:
		return w.rnd.Int64N(2)
	case 2:
		return int64(1_800_000_000) + w.rnd.Int64N(1e6)
	case 3:
		return w.rnd.Float64() * 1e9
	}
	return fmt.Sprintf("%d.%02d", w.rnd.IntN(100_000), w.rnd.IntN(100))
}

func (w *Writer) text() string {
	odd := []string{
		"", " ", "NULL", "null", `"quoted" \back\ 'single'`, "line\nbreak\ttab\r", "é ü 漢字 \U0001f6a2", "\x01\x1f\x7f",
		"\xff\xfe no UTF-8 \xc3", "nul \x00 inside", "__debezium_unavailable_value", "12", "-0.5e3", "true", "<script>&", "\u2028\u2029\ufeff", "%_*?[x]",
	}
	if w.rnd.IntN(4) == 0 {
		return odd[w.rnd.IntN(len(odd))]
	}
	return w.words(1 << 20)
}

// words is a short text, one of about n.
func (w *Writer) words(n int) string {
	return fmt.Sprintf("%s %d", []string{"crane", "Kai", "b'é'", "quay\"", "Ω"}[w.rnd.IntN(5)], w.rnd.IntN(max(1, n/2)))
}
