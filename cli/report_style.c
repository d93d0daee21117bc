/* cli/report_style.c — see report_style.h. Colours are named once, at the top; text and lines have
 * a contrast of at least 4.5 to 1 in both schemes. What a colour says a shape or a word says too.
 */
#include "cli/report_style.h"

#include <stddef.h>

const char *const mr_report_style[] = {
    ":root{color-scheme:light dark;--page:#fff;--plane:#fbfcfe;--text:#1a1f26;--soft:#57606a;"
    "--edge:#d5dae1;--grid:#e8ebf0;--value:#1f5fa8;--center:#1d7544;--limit:#b3261e;"
    "--warn:#8f5a00;--zone-a:#fdeeda;--zone-b:#fdf8dd;--zone-c:#e9f6ec;--phase:#57606a;"
    "--run:#f0a020;--row:#f4f6f9}\n",
    "@media (prefers-color-scheme:dark){:root{--page:#12161c;--plane:#171c24;--text:#e6eaf0;"
    "--soft:#a4afbd;--edge:#37404d;--grid:#262e39;--value:#7ab7ff;--center:#6fd394;"
    "--limit:#ff8a80;--warn:#ffc15e;--zone-a:#352a1d;--zone-b:#302f1c;--zone-c:#1b3023;"
    "--phase:#a4afbd;--run:#c98a1e;--row:#1b212a}}\n",
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:24px 20px 48px;"
    "background:var(--page);color:var(--text);"
    "font:15px/1.5 system-ui,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif}\n"
    "h1{font-size:28px;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}"
    "h2{font-size:18px;margin:0}section{margin:28px 0 0}"
    "a{color:var(--value)}a:focus-visible,summary:focus-visible{outline:2px solid "
    "var(--value);outline-offset:2px}\n",
    ".skip{position:absolute;left:-9999px}.skip:focus{left:20px;top:4px;background:var(--page);"
    "padding:4px 8px}.kicker{margin:0;color:var(--soft)}.help{margin:2px 0 6px;"
    "color:var(--soft)}.notice{margin:6px 0;padding:6px 10px;border:1px solid var(--edge);"
    "border-left:4px solid var(--warn)}\n"
    ".verdict{font-size:17px;margin:0 0 16px;padding-left:12px;border-left:5px solid "
    "var(--soft)}.verdict.out{border-color:var(--limit)}.verdict.in{border-color:"
    "var(--center)}\n",
    "dl{display:flex;flex-wrap:wrap;gap:10px 28px;margin:0 0 12px}dt{font-size:12px;"
    "color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n"
    ".legend,.tallies{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:18px 0 0;"
    "padding:0;font-size:13px;color:var(--soft)}.legend svg{width:14px;height:14px;"
    "vertical-align:-2px}.tallies{margin:4px 0 8px;flex-direction:column}"
    ".tallies b{color:var(--text)}\n",
    ".wide{overflow-x:auto}.wide>svg{display:block;width:100%;min-width:640px;height:auto}"
    "svg text{font-size:12px;fill:var(--soft)}svg path{fill:none}\n"
    ".plane{fill:var(--plane);stroke:var(--edge)}.grid{stroke:var(--grid)}"
    ".tick.value{text-anchor:end}.tick.number{text-anchor:middle}"
    ".tick,.line-label{font-variant-numeric:tabular-nums}svg .line-label{fill:var(--text)}\n",
    "svg .zone-a{fill:var(--zone-a)}svg .zone-b{fill:var(--zone-b)}"
    "svg .zone-c{fill:var(--zone-c)}svg .inside{fill:var(--zone-c)}"
    ".phase1{fill:var(--phase);fill-opacity:.1}.detail{fill:none;stroke:var(--value);"
    "stroke-width:2}.sigma{stroke:var(--soft);stroke-dasharray:1 4;stroke-opacity:.7}"
    ".center{stroke:var(--center);stroke-width:1.5}.limit{stroke:var(--limit);"
    "stroke-width:1.5;stroke-dasharray:7 4}.early{stroke-opacity:.6;stroke-width:1}\n",
    ".values{stroke:var(--value);stroke-width:1.5;stroke-linejoin:round}"
    ".runs{opacity:.45}.runs path{stroke:var(--run);stroke-width:9;stroke-linecap:round;"
    "stroke-linejoin:round}\n"
    "svg .mark{stroke:var(--page);stroke-width:1}svg .mark.ok{fill:var(--value)}"
    "svg .mark.learning{fill:var(--page);stroke:var(--value);stroke-width:1.5}"
    "svg .mark.muted{fill:var(--soft)}svg .mark.warning{fill:var(--warn)}"
    "svg .mark.critical{fill:var(--limit)}svg .rule,svg "
    ".note{paint-order:stroke;stroke:var(--plane);stroke-width:3px;"
    "stroke-linejoin:round}svg .rule{text-anchor:middle;font-size:11px;"
    "font-weight:600;fill:var(--text)}\n"
    ".column{stroke-width:1.6}.column.plain{stroke:var(--value)}"
    ".column.warning{stroke:var(--warn)}.column.critical{stroke:var(--limit)}"
    "svg a:focus-visible .mark,svg a:target .mark{stroke:var(--text);stroke-width:2.5}\n",
    "table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:left;"
    "padding:4px 10px 4px 0;border-bottom:1px solid var(--edge);vertical-align:top}"
    "th{color:var(--soft);font-weight:600}td{font-variant-numeric:tabular-nums}"
    ".number{text-align:right}.what{min-width:190px}time{white-space:nowrap}tr:target{background:"
    "var(--row);"
    "outline:2px solid var(--value)}.tag{font-weight:600}.tag.critical{color:var(--limit)}"
    ".tag.warning{color:var(--warn)}summary{cursor:pointer;font-weight:600}\n",
    "@media "
    "print{:root{color-scheme:light;--page:#fff;--plane:#fff;--text:#000;--soft:#444;--edge:#999;"
    "--grid:#ddd;--value:#1f5fa8;--center:#1d7544;--limit:#b3261e;--warn:#8f5a00;"
    "--zone-a:#fdeeda;--zone-b:#fdf8dd;--zone-c:#e9f6ec;--phase:#57606a;--run:#f0a020;"
    "--row:#fff}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "body{max-width:none;padding:0}.skip,details{display:none}"
    "section,tr,dl div{break-inside:avoid}#broken{break-inside:auto}"
    ".wide{overflow:visible}.wide>svg{min-width:0}a{color:inherit;text-decoration:none}}\n",
    NULL};
