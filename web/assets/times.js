// Times in the reader's own zone, with UTC on hover. The server wrote UTC.
const near = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function local(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const isClock = "clock" in time.dataset;
    time.title = `${time.dateTime} (UTC); shown in ${zone}`;
    time.textContent = (isClock ? clock : near).format(at);
    if (isClock && time.nextSibling) time.nextSibling.textContent = "";
  }
}
local(document);
