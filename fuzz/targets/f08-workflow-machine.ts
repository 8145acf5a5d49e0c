import fc from 'fast-check'
import { z } from 'zod'
import { judgeBoth } from '../../test/model/both-judges.ts'
import { commands } from '../../test/model/commands.ts'
import { percent, workflows } from '../../test/model/workflows.ts'
import { target } from '../target.ts'

const step = z.object({
  step_id: z.string(),
  agent_id: z.string().optional(),
  required: z.boolean(),
  requires_approval: z.boolean(),
  approval_gate: z.boolean(),
  dependencies: z.array(z.string()),
  repeatable: z.boolean().optional(),
  reversible: z.boolean().optional(),
})
const command = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('mint'),
    pick: z.int(),
    step: z.enum(['ready', 'entered', 'left', 'any', 'unknown']),
    agent: z.enum(['right', 'other']),
    within: z.boolean(),
    completed: z.enum(['none', 'true', 'false']),
    digest: z.enum(['none', 'first', 'second']),
    whole: z.boolean(),
  }),
  z.object({ kind: z.literal('decide'), pick: z.int(), granted: z.boolean() }),
])
const input = z.object({
  steps: z.array(step),
  max_tokens: z.int(),
  max_nodes: z.int(),
  opened_ahead: z.boolean(),
  sequence: z.array(command),
})

const anyShape = fc.constantFrom(
  { least: 1, most: 6, gates: 15, required: 50, dependencies: 0 },
  { least: 1, most: 7, gates: 10, required: 15, dependencies: 35 },
  { least: 1, most: 6, gates: 35, required: 30, dependencies: 20 },
)

export const workflowMachine = target({
  name: 'f08',
  rule: 'steps are entered, left and refused as the model says, whatever the order of commands (protocol.md section 6)',
  input,
  arbitrary: fc
    .record({
      steps: anyShape.chain(workflows),
      max_tokens: fc.integer({ min: 1, max: 4 }),
      max_nodes: fc.constantFrom(5, 30, 256),
      opened_ahead: percent(70),
      sequence: commands(30),
    })
    .map(drawn => input.parse(drawn)),
  shortRuns: 120,
  holds({ sequence, ...given }) {
    judgeBoth(given, sequence)
  },
})
