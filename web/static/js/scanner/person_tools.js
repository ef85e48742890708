/** What may be done about the person on the screen besides the scan; each tool is a module of its own. */
import { Group } from "./group.js";
import { LanesDrawer } from "./lanes_drawer.js";
import { Lead } from "./lead.js";
import { Print } from "./print.js";

export class PersonTools {
  /** `page` is what app.js lends: data, views, newId, fetch, station, checkpoint, say, decided, play, open, scanned. */
  constructor(page) {
    this.group = new Group(page);
    this.lead = new Lead(page);
    this.lanes = new LanesDrawer(page);
    this.print = new Print(page);
    this.view = null;
    document.getElementById("verdict-person").addEventListener("click", (event) => {
      if (this.view?.leadsGroup) this.openGroup(this.view.person, event);
    });
  }

  /** With every verdict that is painted. */
  paint(view, shown) {
    this.view = view;
    this.lead.paint(view, shown);
    this.print.paint(view, shown);
  }

  openGroup(passportId, event) {
    event.preventDefault();
    this.group.open(passportId);
  }
}
