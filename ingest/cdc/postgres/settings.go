package postgres

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// The keys of the configuration that have a use; see fields for what they mean.
const (
	keyHost         = "database.hostname"
	keyPort         = "database.port"
	keyUser         = "database.user"
	keyPassword     = "database.password" //nolint:gosec // a key's name
	keyDatabase     = "database.dbname"
	keySSLMode      = "database.sslmode"
	keySSLRoot      = "database.sslrootcert"
	keySSLCert      = "database.sslcert"
	keySSLKey       = "database.sslkey"
	keyPrefix       = "topic.prefix"
	keyPlugin       = "plugin.name"
	keySlot         = "slot.name"
	keyPublication  = "publication.name"
	keyAutocreate   = "publication.autocreate.mode"
	keySchemaIn     = "schema.include.list"
	keySchemaOut    = "schema.exclude.list"
	keyTableIn      = "table.include.list"
	keyTableOut     = "table.exclude.list"
	keyMode         = "snapshot.mode"
	keyThreads      = "snapshot.max.threads"
	keyStatus       = "status.update.interval.ms"
	keySSLPassword  = "database.sslpassword" //nolint:gosec // a key's name
	keyInitial      = "database.initial.statements"
	keyColumnIn     = "column.include.list"
	keyColumnOut    = "column.exclude.list"
	keyKeyColumns   = "message.key.columns"
	keySkipped      = "skipped.operations"
	keyTombstones   = "tombstones.on.delete"
	keyModeData     = "snapshot.mode.configuration.based.snapshot.data"
	keyModeStream   = "snapshot.mode.configuration.based.start.stream"
	keyModeError    = "snapshot.mode.configuration.based.snapshot.on.data.error"
	keySelects      = "snapshot.select.statement.overrides"
	keyOrder        = "snapshot.tables.order.by.row.count"
	keyTransactions = "provide.transaction.metadata"
	keyTransTopic   = "topic.transaction"
	keyBeat         = "heartbeat.interval.ms"
	keyBeatTopic    = "heartbeat.topics.prefix"
	keyBeatTopicNew = "topic.heartbeat.prefix"
	keyBeatQuery    = "heartbeat.action.query"
	keyMessagesIn   = "message.prefix.include.list"
	keyMessagesOut  = "message.prefix.exclude.list"
	keySignals      = "signal.data.collection"
	keyChannels     = "signal.enabled.channels"
	keySignalFile   = "signal.file"
	keySignalTopic  = "signal.kafka.topic"
	keySignalPoll   = "signal.poll.interval.ms"
	keyNotify       = "notification.enabled.channels"
	keyNotifyTopic  = "notification.sink.topic.name"
	keyBad          = "tarn.bad.values"
	keyChanged      = "tarn.changed.columns"
	keyDeadTopic    = "errors.deadletterqueue.topic.name"
	// The beginnings of keys that have a part of their meaning in their names.
	keyMaskHash = "column.mask.hash."
	keyMaskWith = "column.mask.with."
	keyTruncate = "column.truncate.to."
)

// keySnapshotTables are the tables that get a snapshot.
const keySnapshotTables = "snapshot.include.collection.list"

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
	plain       *atomic.Bool // the server has no TLS, and none is needed
	initial     []string     // statements that a connection for statements begins with
	columns     columnRules
	snapshotted filter            // the tables that get a snapshot
	selects     map[string]string // by table: the query that a snapshot reads in its place
	order       string            // of tables in a snapshot
	skipped     string            // the letters of operations without events
	tombstones  bool
	reread      bool // rows are read again where their columns have changed
	// Of the topics that are no table's.
	transactions             bool
	transactionTopic         string        // behind the prefix
	messages                 filter        // of prefixes
	heartbeat                time.Duration // 0 for none
	heartbeatTopic           string        // before the prefix
	heartbeatQuery           string
	bad                      string   // what becomes of values that their columns cannot hold
	signals                  []string // the tables whose rows are signals
	signalFile, signalTopic  string   // whose lines and records are signals; "" for none
	signalPoll               time.Duration
	notifyTopic              string // of notifications; "" for none
	notifyLog, notifyJMX     bool
	keySchemas, valueSchemas bool // of their records
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
		publication: c.Get(keyPublication, "dbz_publication"), autocreate: c.Get(keyAutocreate, autocreateAll), plain: &atomic.Bool{},
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
		keySchemaIn: &s.schemas.in, keySchemaOut: &s.schemas.out, keyTableIn: &s.tables.in, keyTableOut: &s.tables.out, keySnapshotTables: &s.snapshotted.in,
		keyMessagesIn: &s.messages.in, keyMessagesOut: &s.messages.out,
	} {
		if *list, err = patterns(c, key); err != nil {
			return s, err
		}
	}
	if s.columns, err = readColumns(c); err != nil {
		return s, err
	}
	if err := s.readEvents(c); err != nil {
		return s, err
	}
	if err := s.readTopics(c); err != nil {
		return s, err
	}
	s.conn, err = connConfig(c)
	return s, err
}

// readEvents reads the keys about which rows and events there are.
func (s *settings) readEvents(c source.Config) (err error) {
	if s.tombstones, err = boolean(c, keyTombstones, true); err != nil {
		return err
	}
	for op := range strings.SplitSeq(c.Get(keySkipped, "t"), ",") {
		switch op = strings.ToLower(strings.TrimSpace(op)); op {
		case "c", "u", "d", "t":
			s.skipped += op
		case "none", "":
		default:
			return source.NewMisset(c, keySkipped, "write c, u, d and t, separated by commas, or none", "has %q", op)
		}
	}
	if s.order = strings.ToLower(c.Get(keyOrder, "disabled")); !slices.Contains([]string{"disabled", "ascending", "descending"}, s.order) {
		return source.NewMisset(c, keyOrder, "write disabled, ascending or descending", "is %q", s.order)
	}
	switch changed := c.Get(keyChanged, "tell"); changed {
	case "tell", "reread":
		s.reread = changed == "reread"
	default:
		return source.NewMisset(c, keyChanged, "write tell or reread", "is %q", changed)
	}
	s.selects = map[string]string{}
	for table := range strings.SplitSeq(c.Keys[keySelects], ",") {
		if table = strings.TrimSpace(table); table == "" {
			continue
		}
		text := strings.TrimRight(strings.TrimSpace(c.Keys[keySelects+"."+table]), ";")
		if text == "" {
			return source.NewMisset(c, keySelects, "add "+keySelects+"."+table+" with the query", "names table %s, of which there is no query", table)
		}
		s.selects[table] = text
	}
	for text := range strings.SplitSeq(strings.ReplaceAll(c.Keys[keyInitial], ";;", "\x00"), ";") {
		if text = strings.TrimSpace(strings.ReplaceAll(text, "\x00", ";")); text != "" {
			s.initial = append(s.initial, text)
		}
	}
	return nil
}

// readTopics reads the keys about topics that are no table's.
func (s *settings) readTopics(c source.Config) (err error) {
	if s.transactions, err = boolean(c, keyTransactions, false); err != nil {
		return err
	}
	s.transactionTopic = c.Get(keyTransTopic, "transaction")
	millis, err := number(c, keyBeat, 0, 0, beatMillisMax)
	if err != nil {
		return err
	}
	s.heartbeat = time.Duration(millis) * time.Millisecond
	s.heartbeatTopic = c.Get(keyBeatTopicNew, c.Get(keyBeatTopic, "__debezium-heartbeat"))
	s.heartbeatQuery = c.Keys[keyBeatQuery]
	if err := s.readSignals(c); err != nil {
		return err
	}
	if err := s.readNotifications(c); err != nil {
		return err
	}
	if err := s.readBad(c); err != nil {
		return err
	}
	s.keySchemas = strings.EqualFold(c.Keys[source.KeySchemas], "true") && c.Keys["transforms"] == ""
	s.valueSchemas = strings.EqualFold(c.Keys[source.ValueSchemas], "true") && c.Keys["transforms"] == ""
	return nil
}

// beatMillisMax bounds the time between two heartbeats: a day.
const beatMillisMax = 24 * 60 * 60 * 1000

func boolean(c source.Config, key string, fallback bool) (bool, error) {
	switch text := strings.ToLower(strings.TrimSpace(c.Get(key, strconv.FormatBool(fallback)))); text {
	case "true", "false":
		return text == "true", nil
	default:
		return false, source.NewMisset(c, key, "write true or false", "is %q", text)
	}
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// modeOf reads snapshot.mode, with the words that Debezium has had for one thing.
func modeOf(c source.Config) (string, error) {
	switch mode := c.Get(keyMode, modeInitial); mode {
	case modeInitial, modeAlways, modeInitialOnly, modeNoData, modeWhenNeeded:
		return mode, nil
	case "never":
		return modeNoData, nil
	case "configuration_based":
		return configuredMode(c)
	default:
		return "", source.NewMisset(c, keyMode, "write initial, always, initial_only, no_data, when_needed or configuration_based", "is %q", mode)
	}
}

// configuredMode is the mode that snapshot.mode configuration_based comes to.
func configuredMode(c source.Config) (string, error) {
	var data, streams, again bool
	for key, value := range map[string]*bool{keyModeData: &data, keyModeStream: &streams, keyModeError: &again} {
		var err error
		if *value, err = boolean(c, key, false); err != nil {
			return "", err
		}
	}
	switch {
	case data && !streams:
		return modeInitialOnly, nil
	case !data && !streams:
		return "", source.NewMisset(c, keyMode, "set "+keyModeData+" or "+keyModeStream+" to true", "is configuration_based, and neither rows nor changes are to be read")
	case again:
		return modeWhenNeeded, nil
	case !data:
		return modeNoData, nil
	}
	return modeInitial, nil
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
		"dbname", c.Keys[keyDatabase], "sslmode", mode, "sslrootcert", c.Path(keySSLRoot), "sslcert", c.Path(keySSLCert), "sslkey", c.Path(keySSLKey), "sslpassword", c.Keys[keySSLPassword])
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
