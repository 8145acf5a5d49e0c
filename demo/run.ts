import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { whereTimeWent } from './mcp/where-time-went.ts'
import { Progress } from './progress.ts'
import { renderReport } from './report.ts'
import { type Findings, play } from './scenario.ts'
import { setStage } from './stage.ts'

// Starts a Remit of its own, lets three agents work with it and many attacks fail at it, and leaves nothing behind but
// demo-report.html. `--json` prints one object instead of the table, which then goes to standard error.

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const progress = new Progress(options.json ? process.stderr : process.stdout)
const findings: Findings = { agents: [], tokens: [], patch: {}, notes: { calls: [] } }

progress.heading('Remit: three agents, one workflow, and what must not work')
const finished = await setStage(
  ({ dir, defer }) => play({ dir, defer, progress, findings }),
  line => progress.note(line),
)
const ok = finished && progress.ok
const { steps, refusals } = progress
const report = resolve('demo-report.html')
await writeFile(report, renderReport({ ok, steps, refusals, findings }))

const refused = refusals.filter(outcome => outcome.refused).length
progress.heading(ok ? 'All as it should be' : 'NOT as it should be')
progress.note(
  `  ${steps.filter(step => step.ok).length} of ${steps.length} steps done, ${refused} of ${refusals.length} attempts refused`,
)
progress.note(`  ${report}\n`)
if (options.json) {
  const answer = {
    ok,
    steps: steps.map(({ name, ok }) => ({ name, ok })),
    refusals: refusals.map(({ name, status, error, refused }) => ({ name, status, error, refused })),
    calls: findings.notes.calls.map(call => ({
      ...{ agent_id: call.agent_id, step: call.step, call: call.label },
      milliseconds: whereTimeWent(call),
    })),
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exitCode = ok ? 0 : 1
