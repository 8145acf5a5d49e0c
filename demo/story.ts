/**
 * The story of the demo: an app writes a report with three agents. One reads notes, one keeps the facts and hands in a
 * draft, one publishes, and only after a review.
 */
export const APP = 'demo-app'
export const WORKFLOW = 'weekly-report'

/** Each agent with its prompt and the published MCP server that gives it its tools. */
export const CAST = [
  {
    agent_id: 'reader',
    mcp_server: 'server-filesystem',
    prompt: 'You read the notes of this week and pick out what matters. You never change a file.',
  },
  {
    agent_id: 'librarian',
    mcp_server: 'server-memory',
    prompt: 'You keep what the reader found as facts, and write a draft out of nothing but these facts.',
  },
  {
    agent_id: 'publisher',
    mcp_server: 'server-everything',
    prompt: 'You publish the reviewed draft word for word. You add nothing and leave nothing out.',
  },
] as const
export type AgentName = (typeof CAST)[number]['agent_id']

/** What the small API offers: a route for each scope. */
export const ROUTES = {
  'notes:read': { method: 'GET', path: '/notes' },
  'facts:write': { method: 'POST', path: '/facts' },
  'drafts:write': { method: 'POST', path: '/drafts' },
  'reports:publish': { method: 'POST', path: '/reports' },
} as const
export type Scope = keyof typeof ROUTES

type StoryStep = {
  readonly step_id: string
  readonly agent_id: AgentName
  readonly scope: Scope
  /** What the workflow says of the step beside its agent. */
  readonly rules: { readonly required?: true; readonly approval_gate?: true; readonly requires_approval?: true }
  /** What must be done before. */
  readonly after: readonly string[]
  /** Who handed the task down, the executing agent last. */
  readonly chain: readonly AgentName[]
}

export const STEPS: readonly StoryStep[] = [
  {
    step_id: 'collect',
    agent_id: 'reader',
    scope: 'notes:read',
    rules: { required: true },
    after: [],
    chain: ['reader'],
  },
  {
    step_id: 'remember',
    agent_id: 'librarian',
    scope: 'facts:write',
    rules: { required: true },
    after: ['collect'],
    chain: ['reader', 'librarian'],
  },
  {
    step_id: 'review',
    agent_id: 'librarian',
    scope: 'drafts:write',
    rules: { required: true, approval_gate: true },
    after: ['collect', 'remember'],
    chain: ['librarian'],
  },
  {
    step_id: 'publish',
    agent_id: 'publisher',
    scope: 'reports:publish',
    rules: { requires_approval: true },
    after: ['collect', 'remember', 'review'],
    chain: ['publisher'],
  },
]
