// A page on which nothing is pressed.
import { wirePage } from "./page.js";

wirePage();
