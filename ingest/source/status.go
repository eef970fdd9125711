package source

import "strings"

// StatusColumns are the columns of system.sources, as sql/system writes them. Findings are
// what is to know of the source, each with its hint, joined by " · ".
const StatusColumns = "name string, kind string, state string, position string, lag_ms long, rows long, retained_bytes long, error string, hint string, findings string"

// TableColumns are the columns of system.source_tables. Done is the part of the snapshot that is read, 0 to 1.
const TableColumns = "source string, table_name string, topic string, state string, done double, rows long, lag_ms long, error string, hint string"

// text is a text, or null for an empty one.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// StatusRows are the rows of system.sources.
func StatusRows(list []Status) [][]any {
	rows := make([][]any, len(list))
	for i, s := range list {
		var findings []string
		for _, f := range s.Findings {
			if f.Hint != "" {
				f.Message += " (" + f.Hint + ")"
			}
			if f.SQL != "" {
				f.Message += ": " + f.SQL
			}
			findings = append(findings, f.Message)
		}
		rows[i] = []any{s.Name, s.Kind, s.State, text(s.Position), s.Lag.Millis, s.Rows, retained(s.Lag.Bytes), text(s.Error), text(s.Hint), text(strings.Join(findings, " · "))}
	}
	return rows
}

// TableRows are the rows of system.source_tables.
func TableRows(list []Status) [][]any {
	var rows [][]any
	for _, s := range list {
		for _, t := range s.Tables {
			var done any
			if t.State == Snapshotting && t.Done >= 0 {
				done = t.Done
			}
			rows = append(rows, []any{s.Name, t.Table, text(t.Topic), t.State, done, t.Rows, t.Millis, text(t.Error), text(t.Hint)})
		}
	}
	return rows
}

func retained(bytes int64) any {
	if bytes <= 0 {
		return nil
	}
	return bytes
}
