package postgres

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// The keys of the configuration that have a use; see fields for what they mean.
const (
	keyHost        = "database.hostname"
	keyPort        = "database.port"
	keyUser        = "database.user"
	keyPassword    = "database.password" //nolint:gosec // a key's name
	keyDatabase    = "database.dbname"
	keySSLMode     = "database.sslmode"
	keySSLRoot     = "database.sslrootcert"
	keySSLCert     = "database.sslcert"
	keySSLKey      = "database.sslkey"
	keyPrefix      = "topic.prefix"
	keyPlugin      = "plugin.name"
	keySlot        = "slot.name"
	keyPublication = "publication.name"
	keyAutocreate  = "publication.autocreate.mode"
	keySchemaIn    = "schema.include.list"
	keySchemaOut   = "schema.exclude.list"
	keyTableIn     = "table.include.list"
	keyTableOut    = "table.exclude.list"
	keyMode        = "snapshot.mode"
	keyThreads     = "snapshot.max.threads"
	keyStatus      = "status.update.interval.ms"
)

// The values of snapshot.mode that differ.
const (
	modeInitial     = "initial"
	modeAlways      = "always"
	modeInitialOnly = "initial_only"
	modeNoData      = "no_data"
	modeWhenNeeded  = "when_needed"
)

// The values of publication.autocreate.mode.
const (
	autocreateAll      = "all_tables"
	autocreateFiltered = "filtered"
	autocreateNone     = "no_tables"
	autocreateOff      = "disabled"
)

// fields are the keys that have a use.
var fields = []source.Field{
	{Key: keyHost, Required: true, Doc: "the server"},
	{Key: keyPort, Default: "5432", Doc: "its port"},
	{Key: keyUser, Required: true, Doc: "a user with the REPLICATION attribute, and the right to read the tables"},
	{Key: keyPassword, Doc: "its password"},
	{Key: keyDatabase, Required: true, Doc: "the database; a source reads one"},
	{Key: keySSLMode, Default: "prefer", Doc: "disable, prefer, require, verify-ca or verify-full"},
	{Key: keySSLRoot, Doc: "the file of the certificate that the server's must lead to"},
	{Key: keySSLCert, Doc: "the file of Tarn's own certificate"},
	{Key: keySSLKey, Doc: "the file of its key"},
	{Key: keyPrefix, Required: true, Doc: "topics are named <prefix>.<schema>.<table>"},
	{Key: keyPlugin, Default: "pgoutput", Doc: "the decoder in the server: pgoutput, which every server has"},
	{Key: keySlot, Default: "debezium", Doc: "the replication slot, made where it is not there; one for each connector"},
	{Key: keyPublication, Default: "dbz_publication", Doc: "the publication, made where it is not there"},
	{Key: keyAutocreate, Default: autocreateAll, Doc: "what the publication is made for: all_tables (the captured ones where the user is no superuser), filtered, no_tables, disabled"},
	{Key: keySchemaIn, Doc: "the schemas to capture: anchored regular expressions, separated by commas"},
	{Key: keySchemaOut, Doc: "the schemas to leave out"},
	{Key: keyTableIn, Doc: "the tables to capture, as <schema>.<table>, likewise; all by default"},
	{Key: keyTableOut, Doc: "the tables to leave out"},
	{Key: keyMode, Default: modeInitial, Doc: "initial (a table's first time), always (at every start), initial_only, no_data (only changes from now on), when_needed (as initial, and by itself where the slot is lost)"},
	{Key: keyThreads, Default: "2", Doc: "how many connections read a snapshot at once"},
	{Key: pgtype.KeyDecimal, Default: "precise", Doc: "how numeric and money are written: precise, string, double"},
	{Key: pgtype.KeyTime, Default: "adaptive", Doc: "how times are written: adaptive, adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds"},
	{Key: pgtype.KeyInterval, Default: "numeric", Doc: "how intervals are written: numeric (microseconds), string (ISO 8601)"},
	{Key: pgtype.KeyHStore, Default: "json", Doc: "how hstore is written: json, map"},
	{Key: pgtype.KeyBinary, Default: "bytes", Doc: "how bytea is written: bytes, base64, base64-url-safe, hex"},
	{Key: pgtype.KeyUnknown, Default: "false", Doc: "whether columns of types that Debezium does not know are captured, as text"},
	{Key: pgtype.KeyUnavailable, Default: "__debezium_unavailable_value", Doc: "what stands for a value that the log does not have"},
	{Key: pgtype.KeySpecial, Default: "debezium", Doc: "what becomes of a numeric NaN: debezium (null), extra (kept beside the row)"},
	{Key: keyStatus, Default: "10000", Doc: "milliseconds between two reports to the server"},
}

// The bounds of settings.
const (
	threadsMax = 16
	// connectTimeout bounds the wait for a server that does not answer.
	connectTimeout = 10 * time.Second
)

// settings are a configuration, understood.
type settings struct {
	prefix      string
	database    string
	slot        string
	publication string
	autocreate  string
	mode        string
	threads     int
	modes       pgtype.Modes
	status      time.Duration
	schemas     filter
	tables      filter
	conn        *pgconn.Config
}

// filter is a pair of lists; of both empty everything passes.
type filter struct{ in, out []*regexp.Regexp }

func (f filter) passes(name string) bool {
	match := func(re *regexp.Regexp) bool { return re.MatchString(name) }
	return (len(f.in) == 0 || slices.ContainsFunc(f.in, match)) && !slices.ContainsFunc(f.out, match)
}

// captures tells whether a table is to be captured.
func (s *settings) captures(schema, table string) bool {
	return s.schemas.passes(schema) && s.tables.passes(schema+"."+table)
}

func (s *settings) topic(schema, table string) string {
	return s.prefix + "." + topicPart(schema) + "." + topicPart(table)
}

// topicPart replaces what a topic's name cannot hold, as Debezium does.
func topicPart(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}

func readSettings(c source.Config) (settings, error) {
	s := settings{
		prefix: c.Keys[keyPrefix], database: c.Keys[keyDatabase], slot: c.Get(keySlot, "debezium"),
		publication: c.Get(keyPublication, "dbz_publication"), autocreate: c.Get(keyAutocreate, autocreateAll),
	}
	for _, key := range []string{keyHost, keyUser, keyDatabase, keyPrefix} {
		if c.Keys[key] == "" {
			return s, source.NewMisset(c, key, "add it to the connector's file", "is missing")
		}
	}
	if p := c.Get(keyPlugin, "pgoutput"); p != "pgoutput" {
		return s, source.NewMisset(c, keyPlugin, "write pgoutput, which needs nothing installed in the server", "is %q, and Tarn reads pgoutput alone", p)
	}
	if !slices.Contains([]string{autocreateAll, autocreateFiltered, autocreateNone, autocreateOff}, s.autocreate) {
		return s, source.NewMisset(c, keyAutocreate, "write all_tables, filtered, no_tables or disabled", "is %q", s.autocreate)
	}
	if !slotName.MatchString(s.slot) {
		return s, source.NewMisset(c, keySlot, "use lower case letters, digits and underscores, 63 at most", "is %q", s.slot)
	}
	var err error
	if s.mode, err = modeOf(c); err != nil {
		return s, err
	}
	var bad string
	if s.modes, bad = pgtype.ParseModes(c.Get); bad != "" {
		return s, source.NewMisset(c, bad, "write "+strings.Join(pgtype.Choices(bad), ", "), "is %q", c.Keys[bad])
	}
	threads, err := number(c, keyThreads, 2, 1, threadsMax)
	if err != nil {
		return s, err
	}
	status, err := number(c, keyStatus, 10000, 10, 60000)
	if err != nil {
		return s, err
	}
	s.threads, s.status = threads, time.Duration(status)*time.Millisecond
	for key, list := range map[string]*[]*regexp.Regexp{
		keySchemaIn: &s.schemas.in, keySchemaOut: &s.schemas.out, keyTableIn: &s.tables.in, keyTableOut: &s.tables.out,
	} {
		if *list, err = patterns(c, key); err != nil {
			return s, err
		}
	}
	s.conn, err = connConfig(c)
	return s, err
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// modeOf reads snapshot.mode, with the words that Debezium has had for one thing.
func modeOf(c source.Config) (string, error) {
	switch mode := c.Get(keyMode, modeInitial); mode {
	case modeInitial, modeAlways, modeInitialOnly, modeNoData, modeWhenNeeded:
		return mode, nil
	case "never":
		return modeNoData, nil
	default:
		return "", source.NewMisset(c, keyMode, "write initial, always, initial_only, no_data or when_needed", "is %q", mode)
	}
}

func number(c source.Config, key string, fallback, low, high int) (int, error) {
	text, ok := c.Keys[key]
	if !ok {
		return fallback, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < low {
		return 0, source.NewMisset(c, key, fmt.Sprintf("write a number from %d to %d", low, high), "is %q", text)
	}
	return min(n, high), nil
}

// patterns reads a list of regular expressions, anchored and without regard to case, as
// Debezium's. A comma in one is written as \,.
func patterns(c source.Config, key string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for text := range strings.SplitSeq(strings.ReplaceAll(c.Keys[key], `\,`, "\x00"), ",") {
		text = strings.TrimSpace(strings.ReplaceAll(text, "\x00", ","))
		if text == "" {
			continue
		}
		re, err := regexp.Compile("(?i)^(?:" + text + ")$")
		if err != nil {
			return nil, source.NewMisset(c, key, "write regular expressions as Go or Java have them, separated by commas", "has %q: %v", text, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// params are a session's settings: they decide how the server writes values, and that nothing
// hides rows or ends a long read.
var params = map[string]string{
	"application_name": "tarn", "client_encoding": "UTF8", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "timezone": "UTC",
	"bytea_output": "hex", "extra_float_digits": "1", "row_security": "off", "statement_timeout": "0", "lock_timeout": "0",
	"idle_in_transaction_session_timeout": "0", "synchronize_seqscans": "off", "max_parallel_workers_per_gather": "0",
}

func connConfig(c source.Config) (*pgconn.Config, error) {
	mode := strings.ReplaceAll(c.Get(keySSLMode, "prefer"), "_", "-")
	if !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode) {
		return nil, source.NewMisset(c, keySSLMode, "write disable, prefer, require, verify-ca or verify-full", "is %q", mode)
	}
	port, err := number(c, keyPort, 5432, 1, 65535)
	if err != nil {
		return nil, err
	}
	dsn := quotePairs("host", c.Keys[keyHost], "port", strconv.Itoa(port), "user", c.Keys[keyUser], "password", c.Keys[keyPassword],
		"dbname", c.Keys[keyDatabase], "sslmode", mode, "sslrootcert", c.Path(keySSLRoot), "sslcert", c.Path(keySSLCert), "sslkey", c.Path(keySSLKey))
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		// The error would show the password.
		return nil, fault.Newf(fault.Invalid, "check database.* and the files of the certificates", "connector %s: the connection to %s cannot be set up", c.Name, net.JoinHostPort(c.Keys[keyHost], strconv.Itoa(port)))
	}
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams = maps.Clone(params)
	return config, nil
}

// quotePairs writes keys and values as libpq reads them; empty values are left out.
func quotePairs(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&b, "%s='%s' ", pairs[i], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(pairs[i+1]))
		}
	}
	return b.String()
}
