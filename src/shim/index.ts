export type { ChecksumTool } from '../protocol/checksum.ts'
export type { ClientCredential, SecretCredential } from '../protocol/client-authentication.ts'
export { OAuthError } from '../protocol/errors.ts'
export type {
  Agent,
  AgentIdentity,
  CallOptions,
  DelegationOptions,
  Handoff,
  OwnIdentity,
  StepOptions,
} from './agent.ts'
export type { AgentOptions, ProtectedApi } from './agent-options.ts'
export { createAgent } from './create-agent.ts'
export { createExecution, type Execution } from './execution.ts'
export { fileKeyStore } from './file-key-store.ts'
export { checksumTool, type InUse, inUse } from './in-use.ts'
export type { KeyStore } from './key-store.ts'
export { memoryKeyStore } from './memory-key-store.ts'
export { type PromptTemplate, type PromptVariable, promptTemplate } from './prompt-template.ts'
export { SHIM_CHECKSUM } from './self-checksum.ts'
