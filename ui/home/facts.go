package home

import (
	"slices"

	"tarn/stream/pipeline"
	"tarn/ui/words"
)

// fact is a line of what is known; an empty value is left out by facts.
func fact(key string, value words.Text) Fact {
	return Fact{Label: words.Say(key), Value: value, Wrong: key == "Error"}
}

// facts leaves out what is empty.
func facts(all ...Fact) []Fact {
	return slices.DeleteFunc(all, func(f Fact) bool { return f.Value.Empty() })
}

func nonzero(n int64) words.Text {
	if n == 0 {
		return words.Text{}
	}
	return words.Count(n)
}

func yes(b bool) words.Text {
	if b {
		return words.Say("yes")
	}
	return words.Say("no")
}

// Left and Right are the two short texts that a node shows below its name.
func (n Node) Left() words.Text {
	switch {
	case n.Level == Bad || n.Level == Warn && (n.Word == "retrying" || n.Word == pipeline.Waiting) || n.Level == Idle,
		n.Kind == Source && n.Word == "snapshot", n.View || n.Pipeline != "" && n.Word != pipeline.Running:
		return words.State(n.Word)
	case n.Rate == nil && n.Kind != Topic && n.Kind != Source && n.Rows != nil:
		return words.Many(*n.Rows, "%s row", "%s rows")
	}
	return words.RowsRate(n.Rate)
}

// Right says how far behind the node is: a topic in records, the rest in time.
func (n Node) Right() words.Text {
	switch {
	case n.Kind == Topic && n.LagRecords != nil, n.Pipeline != "" && n.LagRecords != nil && *n.LagRecords > 0:
		return words.Say("lag %s", words.Count(*n.LagRecords))
	case n.Kind == Topic:
		return words.Say("not landed")
	case n.BehindMillis != nil && *n.BehindMillis == 0, n.Pipeline != "" && n.Level == OK:
		return words.Say("up to date")
	case n.BehindMillis != nil:
		return words.Say("%s behind", words.Millis(*n.BehindMillis))
	}
	return words.Text{}
}

// RateText is the rate, as the table shows it; so are the texts below.
func (n Node) RateText() words.Text { return words.Rate(n.Rate) }

// RowsText is the number of rows or records.
func (n Node) RowsText() words.Text { return words.Optional(n.Rows, words.Count) }

// LagText is the number of records that wait.
func (n Node) LagText() words.Text { return words.Optional(n.LagRecords, words.Count) }

// BehindText is how far behind the node is in time.
func (n Node) BehindText() words.Text { return words.Optional(n.BehindMillis, words.Millis) }

// BytesText is the size on disk.
func (n Node) BytesText() words.Text { return words.Optional(n.Bytes, words.Bytes) }

// FilesText is the number of data files.
func (n Node) FilesText() words.Text { return words.Optional(n.Files, words.Count) }
