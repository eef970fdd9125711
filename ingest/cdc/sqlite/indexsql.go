package sqlite

import "strings"

// indexTerms takes the terms and the condition out of a CREATE INDEX that SQLite has
// accepted. ASC and DESC are dropped; COLLATE stays, for it is part of an expression.
func indexTerms(sql string) (terms []string, where string) {
	depth, from := 0, 0
	for i := 0; i < len(sql); {
		n := tokenLength(sql[i:])
		switch sql[i] {
		case '(':
			if depth == 0 {
				from = i + 1
			}
			depth++
		case ',':
			if depth == 1 {
				terms, from = append(terms, trimOrder(sql[from:i])), i+1
			}
		case ')':
			if depth--; depth == 0 {
				terms = append(terms, trimOrder(sql[from:i]))
				return terms, condition(sql[i+1:])
			}
		}
		i += n
	}
	return nil, ""
}

// tokenLength is the length of the quoted text or comment at the start of sql; 1 for
// anything else.
func tokenLength(sql string) int {
	closing := map[byte]string{'\'': "'", '"': `"`, '`': "`", '[': "]"}[sql[0]]
	from := 1
	switch {
	case strings.HasPrefix(sql, "--"):
		closing, from = "\n", 2
	case strings.HasPrefix(sql, "/*"):
		closing, from = "*/", 2
	}
	if closing == "" {
		return 1
	}
	// A doubled quote ends one text and begins the next, which comes to the same.
	if n := strings.Index(sql[from:], closing); n >= 0 {
		return from + n + len(closing)
	}
	return len(sql)
}

func trimOrder(term string) string {
	term = strings.TrimSpace(term)
	fields := strings.Fields(term)
	if len(fields) > 1 {
		if last := fields[len(fields)-1]; strings.EqualFold(last, "ASC") || strings.EqualFold(last, "DESC") {
			term = strings.TrimSpace(term[:len(term)-len(last)])
		}
	}
	return term
}

// condition returns what stands behind WHERE.
func condition(sql string) string {
	for i := 0; i < len(sql); i += tokenLength(sql[i:]) {
		if len(sql) > i+5 && strings.EqualFold(sql[i:i+5], "WHERE") {
			return strings.TrimSpace(sql[i+5:])
		}
	}
	return ""
}
