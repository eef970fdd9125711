package landing

import "tarn/lake/table"

// SourceName is what a source calls a column of its mirror.
func SourceName(c table.Column) string { return sourceName(c) }
