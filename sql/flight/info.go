//go:build duckdb_arrow

package flight

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"tarn/embedded/sqltext"
)

// info is what GetSqlInfo tells beside Tarn's version.
var info = map[flightsql.SqlInfo]any{
	flightsql.SqlInfoFlightSqlServerName:           "Tarn",
	flightsql.SqlInfoFlightSqlServerArrowVersion:   arrow.PkgVersion,
	flightsql.SqlInfoFlightSqlServerReadOnly:       false,
	flightsql.SqlInfoFlightSqlServerSql:            true,
	flightsql.SqlInfoFlightSqlServerSubstrait:      false,
	flightsql.SqlInfoFlightSqlServerTransaction:    int32(0), // none
	flightsql.SqlInfoFlightSqlServerCancel:         true,
	flightsql.SqlInfoFlightSqlServerBulkIngestion:  true,
	flightsql.SqlInfoDDLCatalog:                    false,
	flightsql.SqlInfoDDLSchema:                     false,
	flightsql.SqlInfoDDLTable:                      false,
	flightsql.SqlInfoIdentifierCase:                int32(3), // as it was written, found in any
	flightsql.SqlInfoIdentifierQuoteChar:           `"`,
	flightsql.SqlInfoQuotedIdentifierCase:          int32(3),
	flightsql.SqlInfoAllTablesAreASelectable:       true,
	flightsql.SqlInfoNullOrdering:                  int32(1), // nulls are larger: last in ascending order
	flightsql.SqlInfoSearchStringEscape:            `\`,
	flightsql.SqlInfoExtraNameChars:                "",
	flightsql.SqlInfoSupportsColumnAliasing:        true,
	flightsql.SqlInfoNullPlusNullIsNull:            true,
	flightsql.SqlInfoSupportsTableCorrelationNames: true,
	flightsql.SqlInfoSupportsExpressionsInOrderBy:  true,
	flightsql.SqlInfoSupportsOrderByUnrelated:      true,
	flightsql.SqlInfoSupportsLikeEscapeClause:      true,
	flightsql.SqlInfoSupportsNonNullableColumns:    true,
	flightsql.SqlInfoSchemaTerm:                    "schema",
	flightsql.SqlInfoCatalogTerm:                   "catalog",
	flightsql.SqlInfoCatalogAtStart:                true,
	flightsql.SqlInfoSelectForUpdateSupported:      false,
	flightsql.SqlInfoStoredProceduresSupported:     false,
	flightsql.SqlInfoCorrelatedSubqueriesSupported: true,
	flightsql.SqlInfoTransactionsSupported:         false,
	flightsql.SqlInfoBatchUpdatesSupported:         false,
	flightsql.SqlInfoSavePointsSupported:           false,
	flightsql.SqlInfoNamedParametersSupported:      false,
	flightsql.SqlInfoMaxStatementLen:               int64(sqltext.TextBytesMax),
	flightsql.SqlInfoMaxConnections:                int64(connsMax),
}

func (s *service) registerInfo(version string) {
	register := func(id flightsql.SqlInfo, value any) {
		if err := s.RegisterSqlInfo(id, value); err != nil {
			panic(err) // a type that is none of Flight SQL's
		}
	}
	register(flightsql.SqlInfoFlightSqlServerVersion, version)
	for id, value := range info {
		register(id, value)
	}
}

// DoGetSqlInfo leaves out what is not known.
func (s *service) DoGetSqlInfo(ctx context.Context, c flightsql.GetSqlInfo) (*arrow.Schema, <-chan arrowflight.StreamChunk, error) {
	var of some
	for _, id := range c.GetInfo() {
		if _, ok := info[flightsql.SqlInfo(id)]; ok || flightsql.SqlInfo(id) == flightsql.SqlInfoFlightSqlServerVersion {
			of = append(of, id)
		}
	}
	if len(of) == 0 && len(c.GetInfo()) > 0 {
		of = some{uint32(flightsql.SqlInfoFlightSqlServerName)} // none would be all
	}
	return s.BaseServer.DoGetSqlInfo(ctx, of)
}

type some []uint32

func (s some) GetInfo() []uint32 { return s }
