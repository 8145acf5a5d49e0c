import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { setStage } from '../demo/stage.ts'
import { type Entry, holds, judge } from './judge.ts'
import { renderReport } from './report.ts'
import { type Row, runRows } from './rows.ts'
import { Table } from './table.ts'
import { POWERS } from './threat.ts'
import { THREATS } from './threats/index.ts'
import { startWorld } from './world.ts'

// Carries out the twelve threats of the paper against plain OAuth and against a Remit of its own, then runs the tests of
// the catalogue of attacks, and leaves nothing behind but attacks-report.html. `--json` prints one object instead of the
// table, which then goes to standard error; `--no-rows` leaves out the catalogue, which takes minutes.

const THREATS_WITHIN_MS = 180_000
const WITHIN_MS = 25 * 60_000

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rows: { type: 'boolean', default: true } },
  allowNegative: true,
})
const table = new Table(options.json ? process.stderr : process.stdout)
const entries: Entry[] = []
let rows: readonly Row[] = []

table.heading('Remit under attack: the twelve threats of arXiv 2509.13597, section 4')
for (const [power, has] of Object.entries(POWERS)) table.line(`  ${power}  the attacker has ${has}`)
table.line('')
table.head()
const finished = await setStage(
  async ({ dir, defer }) => {
    const world = await startWorld(dir, defer)
    for (const threat of THREATS) {
      for (const make of threat.cases) {
        const entry = await judge(world, threat, make)
        entries.push(entry)
        table.entry(entry)
      }
    }
    if (!options.rows) return
    table.heading('The catalogue of attacks, row by row, by its tests')
    rows = await runRows(defer, done => table.passing(`  ${done} tests`))
    const open = rows.filter(row => !row.blocked)
    table.line(`  ${rows.length - open.length} of ${rows.length} rows blocked`)
    for (const { n, tests } of open) table.line(`  NOT BLOCKED: row ${n}  ${tests.join('; ') || 'no test of it ran'}`)
  },
  line => table.line(line),
  options.rows ? WITHIN_MS : THREATS_WITHIN_MS,
)
const rowsHold = !options.rows || (rows.length > 0 && rows.every(row => row.blocked))
const ok = finished && entries.every(holds) && rowsHold

const report = resolve('attacks-report.html')
await writeFile(report, renderReport({ ok, entries, rows: options.rows ? rows : undefined }))
table.heading(ok ? 'All as it should be' : 'NOT as it should be')
table.line(`  ${report}\n`)
if (options.json) {
  const threats = entries.map(({ id, name, power, plain_oauth, remit, how, faults }) => {
    return {
      id,
      name,
      power,
      plain_oauth,
      remit,
      how: [...faults.map(fault => `NOT AS IT MUST BE: ${fault}.`), how].join(' '),
    }
  })
  process.stdout.write(`${JSON.stringify({ ok, threats, rows: rows.map(({ n, blocked }) => ({ n, blocked })) })}\n`)
}
process.exitCode = ok ? 0 : 1
