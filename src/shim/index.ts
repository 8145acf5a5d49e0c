export type {
  Agent,
  AgentIdentity,
  CallOptions,
  DelegationOptions,
  Handoff,
  OwnIdentity,
  StepOptions,
} from './agent.ts'
export type { AgentOptions, ClientCredential, ProtectedApi } from './agent-options.ts'
export { createAgent } from './create-agent.ts'
export { createExecution, type Execution } from './execution.ts'
export type { KeyStore } from './key-store.ts'
export type { PromptTemplate } from './prompt-template.ts'
export { SHIM_CHECKSUM } from './self-checksum.ts'
