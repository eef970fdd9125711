package words

var frenchRow = map[string]string{
	"Where a row comes from":           "D’où vient une ligne",
	"Where a row comes from · Tarn":    "D’où vient une ligne · Tarn",
	"The events that a row is made of": "Les événements dont une ligne est faite",
	"A row of":                         "Une ligne de",
	"where":                            "où",
	"Walk back":                        "Remonter",
	"What the row is made of":          "De quoi la ligne est faite",
	"The condition names one row, best by the table's key. It is asked as you, and read only.":                                                                      "La condition désigne une ligne, au mieux par la clé de la table. Elle est posée en votre nom, en lecture seule.",
	"Every row of gold, silver and bronze is made of events. Name a table and what tells one of its rows apart, or choose “Where does it come from?” beside a row.": "Chaque ligne de gold, silver et bronze est faite d’événements. Nommez une table et ce qui distingue une de ses lignes, ou choisissez «\u00a0D’où vient-elle\u202f?\u00a0» à côté d’une ligne.",
	"Find a row with SQL": "Trouver une ligne en SQL",
	"See the tables":      "Voir les tables",
	"Walking back…":       "Remontée en cours…",
}
