package sqlite

import "tarn/ingest/source"

// KindCutAt is Kind with drains of so many lines, whatever statement they end in.
func KindCutAt(rows int) source.Kind {
	k := Kind
	k.Open = opener(rows)
	return k
}
