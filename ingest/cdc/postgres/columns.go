package postgres

import (
	"crypto/md5"  //nolint:gosec // Debezium's users may ask for it
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// columnRules are what the configuration says of columns.
type columnRules struct {
	filter // of <schema>.<table>.<column>
	masks  []mask
	keys   []keyRule
}

// mask replaces the texts of the columns whose names match. Of two that match a column the first counts.
type mask struct {
	columns []*regexp.Regexp
	param   record.Param // what the schema says of it
	hashes  bool         // what is too long for its column is cut off
	edit    func(record.Value) record.Value
}

// keyRule gives the tables whose names match another key.
type keyRule struct {
	table   *regexp.Regexp
	columns []string
}

// hidden bounds how many asterisks a mask has.
const hiddenMax = 65536

var (
	hashKey     = regexp.MustCompile(`^column\.mask\.hash\.(v2\.)?([^.]+)\.with\.salt\.(.+)$`)
	hiddenKey   = regexp.MustCompile(`^column\.mask\.with\.(\d+)\.chars$`)
	truncateKey = regexp.MustCompile(`^column\.truncate\.to\.(\d+)\.chars$`)
)

// readColumns reads the keys about columns, in order of their names.
func readColumns(c source.Config) (r columnRules, err error) {
	if r.in, err = patterns(c, keyColumnIn); err != nil {
		return r, err
	}
	if r.out, err = patterns(c, keyColumnOut); err != nil {
		return r, err
	}
	var names []string
	for key := range c.Keys {
		if strings.HasPrefix(key, "column.mask.") || strings.HasPrefix(key, keyTruncate) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	for _, key := range names {
		m, err := readMask(c, key)
		if err != nil {
			return r, err
		}
		r.masks = append(r.masks, m)
	}
	r.keys, err = readKeyRules(c)
	return r, err
}

func readMask(c source.Config, key string) (m mask, err error) {
	if m.columns, err = patterns(c, key); err != nil {
		return m, err
	}
	m.param = record.Param{Name: "masked", Value: "true"}
	if f := hashKey.FindStringSubmatch(key); f != nil {
		sum, known := hashes[strings.ToUpper(f[2])]
		if !known {
			return m, source.NewMisset(c, key, "use MD5, SHA-1, SHA-256, SHA-384 or SHA-512", "has the algorithm %q", f[2])
		}
		m.edit, m.hashes = hashed(sum, f[3], f[1] == ""), true
		return m, nil
	}
	if f := hiddenKey.FindStringSubmatch(key); f != nil {
		n, err := strconv.Atoi(f[1])
		if err != nil || n > hiddenMax {
			return m, source.NewMisset(c, key, "use a number up to "+strconv.Itoa(hiddenMax), "has the number %s", f[1])
		}
		stars := []byte(strings.Repeat("*", n))
		m.edit = func(record.Value) record.Value { return record.Value{Kind: record.TextKind, B: stars} }
		return m, nil
	}
	f := truncateKey.FindStringSubmatch(key)
	if f == nil {
		return m, source.NewMisset(c, key, "write column.mask.hash.<algorithm>.with.salt.<salt>, column.mask.with.<n>.chars or column.truncate.to.<n>.chars", "is no mask")
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return m, source.NewMisset(c, key, "use a smaller number", "has the number %s", f[1])
	}
	m.param = record.Param{Name: "truncateLength", Value: f[1]}
	m.edit = func(v record.Value) record.Value { return shortened(v, n) }
	return m, nil
}

// shortened keeps the first n characters of a text, as Java counts them: one beyond U+FFFF is two. Half of one is none here.
func shortened(v record.Value, n int) record.Value {
	if v.Kind != record.TextKind {
		return v
	}
	for at, r := range string(v.B) {
		if n -= utf16.RuneLen(max(r, 0)); n < 0 {
			v.B = v.B[:at]
			break
		}
	}
	return v
}

// hashes are the algorithms by Java's names.
var hashes = map[string]func() hash.Hash{
	"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
}

// hashed replaces texts by their salted hash, in hex. Debezium's first way hashes what Java's serialization makes of a text.
func hashed(sum func() hash.Hash, salt string, serialized bool) func(record.Value) record.Value {
	return func(v record.Value) record.Value {
		if v.Kind != record.TextKind {
			return v
		}
		h := sum()
		_, _ = h.Write([]byte(salt))
		if serialized {
			_, _ = h.Write(javaText(v.B))
		} else {
			_, _ = h.Write(v.B)
		}
		v.B = hex.AppendEncode(nil, h.Sum(nil))
		return v
	}
}

// javaText is a text as Java's ObjectOutputStream writes it (Java Object Serialization Specification, section 6.4): in its own UTF-8,
// in which a zero has two bytes, and a character beyond U+FFFF is its two surrogates.
func javaText(text []byte) []byte {
	body := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r == 0:
			body = append(body, 0xc0, 0x80)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			for _, half := range []rune{high, low} {
				body = append(body, 0xe0|byte(half>>12), 0x80|byte(half>>6)&0x3f, 0x80|byte(half)&0x3f) //nolint:gosec // its bits
			}
		default:
			body = utf8.AppendRune(body, r)
		}
	}
	out := []byte{0xac, 0xed, 0, 5}
	if len(body) <= 0xffff {
		out = binary.BigEndian.AppendUint16(append(out, 't'), uint16(len(body))) //nolint:gosec // checked
	} else {
		out = binary.BigEndian.AppendUint64(append(out, '|'), uint64(len(body)))
	}
	return append(out, body...)
}

// readKeyRules reads message.key.columns: <table>:<column>,<column>;<table>:…
func readKeyRules(c source.Config) (out []keyRule, err error) {
	for text := range strings.SplitSeq(c.Keys[keyKeyColumns], ";") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		table, list, found := strings.Cut(text, ":")
		re, err := regexp.Compile("(?i)^(?:" + strings.TrimSpace(table) + ")$")
		if err != nil || !found || strings.TrimSpace(list) == "" {
			return nil, source.NewMisset(c, keyKeyColumns, "write <schema>.<table>:<column>,<column>;…", "has %q", text)
		}
		rule := keyRule{table: re}
		for name := range strings.SplitSeq(list, ",") {
			rule.columns = append(rule.columns, strings.TrimSpace(name))
		}
		out = append(out, rule)
	}
	return out, nil
}

// keyOf are the columns of a table's key by message.key.columns; nil where that says nothing of the table, or of columns that it
// does not have.
func (r *columnRules) keyOf(t *table) []string {
	at := slices.IndexFunc(r.keys, func(k keyRule) bool { return k.table.MatchString(t.full()) })
	if at < 0 {
		return nil
	}
	for _, name := range r.keys[at].columns {
		if !slices.ContainsFunc(t.columns, func(a pgtype.Attr) bool { return a.Name == name }) {
			return nil
		}
	}
	return r.keys[at].columns
}

// keyed are a table's columns with the places in the key of its events.
func (r *columnRules) keyed(t *table) []pgtype.Attr {
	key := r.keyOf(t)
	if key == nil {
		return t.columns
	}
	out := slices.Clone(t.columns)
	for i := range out {
		out[i].Key = slices.Index(key, out[i].Name) + 1
	}
	return out
}

// maskOf is the mask of a column, a as the catalog and c as events have it; nil for none. Columns that are no plain text have none, as in Debezium.
func (r *columnRules) maskOf(name string, a pgtype.Attr, c *record.Column) *mask {
	at := r.maskAt(name)
	if at < 0 || c.Type != record.String || c.Semantic != record.Plain {
		return nil
	}
	m := r.masks[at]
	if length := int(a.Typmod) - varHeader; m.hashes && length > 0 {
		whole := m.edit
		m.edit = func(v record.Value) record.Value { return shortened(whole(v), length) }
	}
	return &m
}

// varHeader is what the type modifier of char(n) and varchar(n) is above n (PostgreSQL's VARHDRSZ).
const varHeader = 4

func (r *columnRules) maskAt(name string) int {
	return slices.IndexFunc(r.masks, func(m mask) bool {
		return slices.ContainsFunc(m.columns, func(re *regexp.Regexp) bool { return re.MatchString(name) })
	})
}
