import { z } from 'zod'

// What the demo and its agents' processes tell each other, as JSON over the channel that Node gives a child process.

const jsonObject = z.record(z.string(), z.json())
const identitySchema = z.object({ sub: z.string(), jkt: z.string() })
const handoffSchema = z.object({
  delegation_assertion: z.string(),
  workflow_id: z.string().optional(),
  workflow_step: z.string().optional(),
  execution_id: z.string().optional(),
})
const callSchema = z.object({ tool: z.string(), arguments: jsonObject })

/** One task: a step of the workflow, the tools to call in it, and to whom the next step is handed over. */
const taskSchema = z.object({
  workflow_id: z.string(),
  workflow_step: z.string(),
  execution_id: z.string().optional(),
  handoff: handoffSchema.optional(),
  /** What somebody is to approve before the step begins. */
  arguments: jsonObject.optional(),
  scope: z.array(z.string()),
  calls: z.array(callSchema),
  hand_over: z.object({ to: identitySchema, workflow_step: z.string(), scope: z.array(z.string()) }).optional(),
  /** Somebody on the way: calls of the MCP server go to this origin instead. */
  via: z.string().optional(),
})
export type Call = z.output<typeof callSchema>
export type Task = z.output<typeof taskSchema>

/** A token request past the shim, as code in the process could make it: with the process's key. */
const requestSchema = z.object({
  agent_id: z.string(),
  computed_checksum: z.string(),
  requested_scopes: z.array(z.string()),
  audience: z.string(),
  more: jsonObject,
})
export type TokenRequest = z.output<typeof requestSchema>

/** What the process is made of. Its own key is not here: it makes that itself and never tells it. */
export const startSchema = z.object({
  issuer: z.string(),
  client_id: z.string(),
  client_key: z.looseObject({ kty: z.string() }),
  agent_id: z.string(),
  prompt: z.string(),
  /** It is an agent of the AI SDK, whose model is the package's own mock and asks for the calls of the task. */
  by_model: z.boolean(),
  /** Audience and address of the MCP server. */
  resource: z.string(),
  scope: z.array(z.string()),
  /** The tools that the agent is to be registered with, as the MCP server lists them. */
  tools: z.array(z.looseObject({ name: z.string(), inputSchema: jsonObject })),
})
export type Start = z.output<typeof startSchema>

export const commandSchema = z.object({
  id: z.int(),
  command: z.discriminatedUnion('do', [
    z.object({ do: z.literal('start'), with: startSchema }),
    z.object({ do: z.literal('work'), task: taskSchema }),
    z.object({ do: z.literal('ask'), request: requestSchema }),
    z.object({ do: z.literal('changed') }),
  ]),
})
export type Command = z.output<typeof commandSchema>['command']

/** What a server or an API answered instead of yes. */
export const refusedSchema = z.object({ status: z.int(), body: jsonObject })
export type Refused = z.output<typeof refusedSchema>

/** Where the time of one call went, in milliseconds of the clock of the machine. */
const spanSchema = z.object({
  part: z.enum(['shim', 'server', 'network', 'verifier', 'tool']),
  start: z.number(),
  end: z.number(),
})
export type Span = z.output<typeof spanSchema>

const measuredSchema = z.object({ label: z.string(), start: z.number(), end: z.number(), spans: z.array(spanSchema) })
export type Measured = z.output<typeof measuredSchema>

/** What the process is, for its registration: the public half of its key, and everything that its checksum covers. */
export const startedSchema = identitySchema.extend({
  jwk: jsonObject,
  components: jsonObject,
  checksum: z.string(),
  pid: z.int(),
  measured: z.array(measuredSchema).readonly(),
})
export type Started = z.output<typeof startedSchema>

export const doneSchema = z.object({
  execution_id: z.string().optional(),
  /** The texts that the tools answered. */
  texts: z.array(z.string()),
  handoff: handoffSchema.optional(),
  measured: z.array(measuredSchema).readonly(),
  refused: refusedSchema.optional(),
})
export type Done = z.output<typeof doneSchema>

export const replySchema = z.object({ id: z.int(), result: z.unknown().optional(), error: z.string().optional() })
export type Reply = z.output<typeof replySchema>
