package source

// StatusColumns are the columns of system.sources, as sql/system writes them.
const StatusColumns = "name string, kind string, state string, position string, lag_ms long, rows long, error string, hint string"

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
		rows[i] = []any{s.Name, s.Kind, s.State, text(s.Position), s.Lag.Millis, s.Rows, text(s.Error), text(s.Hint)}
	}
	return rows
}
