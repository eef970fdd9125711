//go:build duckdb_arrow

package postgres

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
