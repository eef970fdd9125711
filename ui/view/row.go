package view

import (
	"net/url"

	"tarn/ui/words"
)

// What the empty fields show.
const (
	rowTable     = "gold.by_berth"
	rowCondition = "berth = 'TM-4'"
)

// RowPage is what the address of the page of a row holds, and the statement that it means.
type RowPage struct {
	Of        string `json:"of"` // a table
	Where     string `json:"where"`
	Statement string `json:"statement,omitempty"` // for POST /api/sql
}

// NewRowPage reads an address.
func NewRowPage(q url.Values) RowPage {
	r := RowPage{Of: q.Get("of"), Where: q.Get("where")}
	if r.Of != "" {
		r.Statement = "EXPLAIN ROW OF " + r.Of + " WHERE " + r.Where
	}
	return r
}

// window is the page, with its twin for the row.
func (r RowPage) window() window {
	twin := "/api/row"
	if r.Of != "" {
		twin += "?" + url.Values{"of": {r.Of}, "where": {r.Where}}.Encode()
	}
	return window{
		words.Say("Where a row comes from"), "/row", twin, words.Say("Where a row comes from · Tarn"), words.Say("The events that a row is made of"),
		"js/row.js",
		[]string{"css/row.css"},
	}
}
