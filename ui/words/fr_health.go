package words

var frenchHealth = map[string]string{
	"Health · Tarn":    "Santé · Tarn",
	"Tarn's own state": "L’état de Tarn",
	"Tarn's own state: parts, doors, disk, memory, log": "L’état de Tarn\u00a0: composants, portes, disque, mémoire, journal",
	"For": "Depuis",
	"what speaks where, and what connects to it": "qui parle où, et de quoi s’y connecter",
	"What connects to %s":                        "De quoi se connecter à %s",

	// Disk and memory.
	"Disk":    "Disque",
	"%s free": "%s libres",
	"Folder":  "Dossier",
	"below %s free, doors, sources and the log stop, and go on by themselves": "sous %s libres, portes, sources et journal s’arrêtent, et reprennent d’eux-mêmes",
	"; there are more files than one look has time for":                       "\u202f; il y a plus de fichiers qu’un regard n’a le temps d’en voir",
	"Memory":             "Mémoire",
	"Memory in use":      "Mémoire utilisée",
	"%s of %s":           "%s sur %s",
	"Share of":           "Part pour",
	"In use":             "Utilisée",
	"At most":            "Au plus",
	"the program":        "le programme",
	"queries":            "les requêtes",
	"the lake's upkeep":  "l’entretien du lac",
	"state of pipelines": "l’état des pipelines",
	"the setting memory is what all may take together": "le réglage memory est ce que tous peuvent prendre ensemble",

	// The log.
	"Log": "Journal",
	"the newest lines first; more are in logs/tarn.log of the data folder": "les dernières lignes d’abord\u00a0; il y en a plus dans logs/tarn.log du dossier de données",
	"Which lines":         "Quelles lignes",
	"all lines":           "toutes",
	"warnings and errors": "alertes et erreurs",
	"errors alone":        "erreurs seules",
	"Level":               "Niveau",
	"Line":                "Ligne",
	"No lines.":           "Aucune ligne.",
}
