/** What the report of the attacks adds to the look of the demo’s. */
export const ATTACK_STYLE = `
:root { --mid: light-dark(#8a5a00, #f0c46a); --mid-back: light-dark(#fdf1d7, #40331a) }
.mid { color: var(--mid); background: var(--mid-back) }
.tally { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); margin: 1.4rem 0 }
.tally .card { margin: 0 }
.tally b { display: block; font-size: 1.7rem; line-height: 1.2 }
table.matrix th, table.matrix td { text-align: center; padding: .5rem .4rem; vertical-align: middle }
table.matrix th:first-child, table.matrix td:first-child { text-align: left }
table.matrix a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em }
table.matrix .none { color: var(--line) }
table.matrix .verdict { margin: .12rem 0; min-width: 5.6rem; text-align: center }
.case { border-top: 1px solid var(--line); padding-top: .9rem; margin-top: .9rem }
.case > p { margin: .5rem 0 }
.power { display: inline-block; width: 1.7rem; height: 1.7rem; line-height: 1.6rem; text-align: center; border-radius: .4rem;
  border: 1px solid var(--line); font: 600 .9rem/1.6rem ui-monospace, Menlo, Consolas, monospace; margin-right: .4rem }
.tries td:first-child { width: 62% }
.tries td { padding: .4rem .8rem .4rem 0; font-size: .92rem }
details { margin: .4rem 0 }
.rows { display: grid; gap: .3rem; grid-template-columns: repeat(auto-fill, minmax(2.7rem, 1fr)); margin: .8rem 0 }
.rows span { text-align: center; border-radius: .35rem; padding: .2rem 0; font-size: .85rem; font-variant-numeric: tabular-nums }
@media (max-width: 45rem) {
  .tally { grid-template-columns: 1fr 1fr }
  table.matrix { display: table }
  table.matrix tbody { display: table-row-group }
  table.matrix tr { display: table-row }
  table.matrix th, table.matrix td { display: table-cell; padding: .4rem .15rem; border-bottom: 1px solid var(--line) }
  table.matrix .verdict { min-width: 0; font-size: .7rem; padding: .1rem .35rem }
  .tries td:first-child { width: auto }
}
`
