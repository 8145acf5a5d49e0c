/** The look of the report: nothing is loaded, light and dark follow the reader's system. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fbfaf8, #16181c); --card: light-dark(#ffffff, #1e2127); --line: light-dark(#e2ded7, #343943);
  --text: light-dark(#22252b, #e4e6ea); --soft: light-dark(#5f6570, #a0a7b3);
  --good: light-dark(#176b3a, #6fd398); --good-back: light-dark(#e3f4e9, #173325);
  --bad: light-dark(#a3201d, #ff918a); --bad-back: light-dark(#fbe7e5, #43201f);
  --name: light-dark(#1c4f99, #8ab8ff); --value: light-dark(#8a4312, #edb583); --bar: light-dark(#5b7fb8, #6f9be0);
  --shim: light-dark(#3f78c9, #6ea4f2); --server: light-dark(#c77f1a, #e8b25e); --network: light-dark(#c9cdd6, #59606e);
  --verifier: light-dark(#1d8a4b, #55c585); --tool: light-dark(#8d5cc4, #b592e6); --client: light-dark(#e9e5dc, #31353d);
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 70rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.3rem; margin: 3rem 0 .4rem }
h3 { font-size: 1.05rem; margin: 0 0 .3rem }
p { margin: .3rem 0 .8rem; max-width: 48rem }
.soft { color: var(--soft) }
small { color: var(--soft); font-size: .85rem }
code { font: .84em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere }
.verdict { display: inline-block; padding: .15rem .7rem; border-radius: 1rem; font-weight: 600 }
.small { font-size: .85rem }
.good { color: var(--good); background: var(--good-back) }
.bad { color: var(--bad); background: var(--bad-back) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.2rem; margin: .9rem 0 }
.cards { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)) }
.cards .card { margin: 0 }
.pair { display: grid; gap: 1rem; grid-template-columns: minmax(0, 2fr) minmax(0, 5fr) }
pre { margin: 0; padding: .8rem; background: var(--page); border: 1px solid var(--line); border-radius: .4rem }
pre code { white-space: pre-wrap }
pre b { color: var(--name); font-weight: 500 }
pre i { color: var(--value); font-style: normal }
svg { display: block; max-width: 100%; height: auto; margin: .6rem 0 }
svg text { fill: var(--text); font: 15px system-ui, sans-serif }
svg .soft { fill: var(--soft); font-size: 12.5px }
svg rect { fill: var(--card); stroke: var(--line); stroke-width: 1.5 }
svg .done { stroke: var(--good); stroke-width: 2.5 }
svg .past { stroke: var(--bar); stroke-width: 2 }
svg .gate { stroke-dasharray: 7 4 }
svg path { fill: none; stroke: var(--soft); stroke-width: 1.6 }
svg path.order { stroke-dasharray: 2 4 }
svg .decision { font-size: 12.5px }
svg rect.at-entered { stroke: var(--good); stroke-width: 2.5; fill: var(--good-back) }
svg rect.at-left { stroke: var(--bar); stroke-width: 2 }
svg rect.at-open { stroke: var(--server); stroke-width: 2 }
svg rect.at-granted { stroke: var(--good); stroke-width: 2 }
.swatch.at-entered { background: var(--good) } .swatch.at-left { background: var(--bar) }
.swatch.at-open { background: var(--server) } .swatch.at-waiting { background: var(--line) }
.swatch.at-granted { border: 2px dashed var(--good) }
svg .head { fill: var(--soft); stroke: none }
summary { cursor: pointer }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .55rem .8rem .55rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 500; font-size: .85rem }
td.time { width: 22%; min-width: 9rem }
.track { display: block; height: .5rem; margin-top: .5rem; position: relative }
.track span { position: absolute; height: 100%; min-width: 3px; border-radius: 3px; background: var(--bar) }
h2 ~ h3 { margin-top: 1.4rem }
.legend { color: var(--soft); font-size: .85rem; max-width: none }
.swatch { display: inline-block; width: .7rem; height: .7rem; margin: 0 .35rem 0 .6rem; border-radius: 2px }
.legend .swatch:first-child, small .swatch { margin-left: 0 }
.calls > div { display: grid; gap: .1rem 1rem; grid-template-columns: 18.5rem minmax(0, 1fr); padding: .45rem 0; border-bottom: 1px solid var(--line) }
.calls small > span { white-space: nowrap; margin-right: .7rem }
.bar { display: block; height: .8rem; margin: .35rem 0 .2rem; position: relative }
.bar span { position: absolute; height: 100%; min-width: 1px; border-radius: 1px }
.shim { background: var(--shim) } .server { background: var(--server) } .network { background: var(--network) }
.verifier { background: var(--verifier) } .tool { background: var(--tool) } .client { background: var(--client) }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem .9rem; margin: .8rem 0 0 }
dt { color: var(--soft) }
dd { margin: 0 }
@media (max-width: 45rem) {
  .pair, dl, .calls > div { grid-template-columns: minmax(0, 1fr) }
  table, tbody, tr, td, td.time { display: block; width: auto }
  th { display: none }
  tr { padding: .6rem 0; border-bottom: 1px solid var(--line) }
  td { padding: .1rem 0; border: 0 }
}
`
