// Everything that a page without scripts can do without.
import "tidemill/times.js";
import "tidemill/keys.js";
import "tidemill/palette.js";
import "tidemill/fresh.js";
import "tidemill/grid.js";
import "tidemill/gantt.js";
import "tidemill/views.js";
import "tidemill/log.js";
