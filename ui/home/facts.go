package home

import (
	"time"

	"tarn/stream/pipeline"
)

// facts pairs labels with values and leaves out what is empty.
func facts(pairs ...string) []Fact {
	out := make([]Fact, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Fact{Label: pairs[i], Value: pairs[i+1]})
		}
	}
	return out
}

func nonzero(n int64) string {
	if n == 0 {
		return ""
	}
	return Count(n)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// Left and Right are the two short texts that a node shows below its name.
func (n Node) Left() string {
	switch {
	case n.Level == Bad || n.Level == Warn && (n.Word == "retrying" || n.Word == pipeline.Waiting) || n.Level == Idle:
		return n.Word
	case n.Kind == Source && n.Word == "snapshot":
		return "snapshot"
	case n.View || n.Pipeline != "" && n.Word != pipeline.Running:
		return n.Word
	case n.Rate == nil && n.Kind != Topic && n.Kind != Source && n.Rows != nil:
		return Count(*n.Rows) + " rows"
	}
	return Rate(n.Rate, "rows")
}

// Right says how far behind the node is: a topic in records, the rest in time.
func (n Node) Right() string {
	switch {
	case n.Kind == Topic && n.LagRecords != nil:
		return "lag " + Count(*n.LagRecords)
	case n.Kind == Topic:
		return "not landed"
	case n.Pipeline != "" && n.LagRecords != nil && *n.LagRecords > 0:
		return "lag " + Count(*n.LagRecords)
	case n.BehindMillis != nil && *n.BehindMillis == 0, n.Pipeline != "" && n.Level == OK:
		return "up to date"
	case n.BehindMillis != nil:
		return Millis(*n.BehindMillis) + " behind"
	}
	return ""
}

// RateText is the rate, as the table shows it; so are the texts below.
func (n Node) RateText() string { return Rate(n.Rate, "") }

// RowsText is the number of rows or records.
func (n Node) RowsText() string { return Optional(n.Rows, Count) }

// LagText is the number of records that wait.
func (n Node) LagText() string { return Optional(n.LagRecords, Count) }

// BehindText is how far behind the node is in time.
func (n Node) BehindText() string { return Optional(n.BehindMillis, Millis) }

// BytesText is the size on disk.
func (n Node) BytesText() string { return Optional(n.Bytes, Bytes) }

// FilesText is the number of data files.
func (n Node) FilesText() string { return Optional(n.Files, Count) }
