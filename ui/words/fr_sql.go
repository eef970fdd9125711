package words

var frenchSQL = map[string]string{
	"SQL over the lake":                     "SQL sur le lac",
	"Statements over the lake":              "Instructions sur le lac",
	"SQL statements":                        "Instructions SQL",
	"run all, or what is chosen":            "exécuter tout, ou la sélection",
	"History":                               "Historique",
	"Saved":                                 "Enregistrées",
	"Save":                                  "Enregistrer",
	"Explain":                               "Expliquer",
	"Copy link":                             "Copier le lien",
	"To begin with":                         "Pour commencer",
	"rows of %s":                            "lignes de %s",
	"tables and views":                      "tables et vues",
	"newest snapshot of each table":         "dernier snapshot de chaque table",
	"what upkeep would do":                  "ce que ferait l’entretien",
	"small files and deletes of each table": "petits fichiers et suppressions de chaque table",
	"size of each topic":                    "taille de chaque topic",
	"state of each source":                  "état de chaque source",
	"parts of Tarn":                         "composants de Tarn",

	// The answer.
	"What was answered":          "La réponse",
	"Statements of the run":      "Instructions de l’exécution",
	"What to do with the answer": "Que faire de la réponse",
	"How the answer is shown":    "Comment montrer la réponse",
	"Chart":                      "Graphique",
	"Export":                     "Exporter",
	"Export: the statement runs again, all its rows go to a file": "Exporter\u00a0: l’instruction tourne à nouveau, toutes ses lignes vont dans un fichier",
	"Export all rows as %s":         "Exporter toutes les lignes en %s",
	"Close what is beside the grid": "Fermer ce qui est à côté de la grille",

	// Statements that are kept.
	"Statements that are kept": "Instructions gardées",
	"Which are listed":         "Celles qui sont listées",
	"Find statements":          "Chercher des instructions",
	"Forget all":               "Tout oublier",
	"Kept in this browser alone: the last 100 that ran, and 100 that are saved.": "Gardées dans ce navigateur seul\u00a0: les 100 dernières exécutées, et 100 enregistrées.",
	"Save the statement": "Enregistrer l’instruction",
	"Not now":            "Pas maintenant",
}
