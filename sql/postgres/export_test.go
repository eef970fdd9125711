//go:build duckdb_arrow

package postgres

import (
	"net/netip"
	"time"
)

// Refusals are those of log-ins, for a test that has no time to wait.
type Refusals struct{ refusals }

// NewRefusals are none.
func NewRefusals() *Refusals { return &Refusals{refusals{of: map[netip.Prefix]*refused{}}} }

// Heard tells whether a log-in of an address is heard.
func (r *Refusals) Heard(host string) bool { return r.heard(host) == nil }

// Add is a refusal at a time.
func (r *Refusals) Add(host string, now time.Time) (time.Duration, func()) { return r.add(host, now) }

// Addresses is how many are known.
func (r *Refusals) Addresses() int { return len(r.of) }

// CopyRows cuts data, which comes in pieces of a size, into rows of so many columns, as texts; <null> for a null.
func CopyRows(format string, columns int, data []byte, piece int) (rows [][]string, err error) {
	form := &copyForm{delimiter: '\t', null: `\N`, quote: '"', escape: '"', csv: format == "csv", binary: format == "binary"}
	if form.csv {
		form.delimiter, form.null = ',', ""
	}
	p := copyRows{form: form, names: make([]string, columns)}
	for last := false; !last; {
		n := min(piece, len(data))
		p.add(data[:n])
		data = data[n:]
		last = len(data) == 0
		for {
			row, err := p.next(last)
			if err != nil || row == nil {
				if err != nil {
					return rows, err
				}
				break
			}
			var texts []string
			for _, f := range row {
				text := string(f.text)
				if f.null {
					text = "<null>"
				}
				texts = append(texts, text)
			}
			rows = append(rows, texts)
		}
	}
	return rows, nil
}
