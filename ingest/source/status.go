package source

import "strings"

// StatusColumns are the columns of system.sources, as sql/system writes them. Findings are
// what is to know of the source, each with its hint, joined by " · ".
const StatusColumns = "name string, kind string, state string, position string, lag_ms long, rows long, error string, hint string, findings string"

// StatusRows are the rows of system.sources.
func StatusRows(list []Status) [][]any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	rows := make([][]any, len(list))
	for i, s := range list {
		var findings []string
		for _, f := range s.Findings {
			if f.Hint != "" {
				f.Message += " (" + f.Hint + ")"
			}
			findings = append(findings, f.Message)
		}
		rows[i] = []any{s.Name, s.Kind, s.State, text(s.Position), s.Lag.Millis, s.Rows, text(s.Error), text(s.Hint), text(strings.Join(findings, " · "))}
	}
	return rows
}
