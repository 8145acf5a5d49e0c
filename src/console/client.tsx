import { useState } from 'preact/hooks'
import * as z from 'zod/mini'
import { act, get } from './api.ts'
import { Badge, Id } from './badge.tsx'
import type { ClientView } from './client-view.ts'
import { AccessList } from './grant-list.tsx'
import { Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { PolicyList } from './policy-list.tsx'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { href } from './route.ts'
import { ActButton, ForScope } from './scope.tsx'
import { SecretOnce } from './secret-once.tsx'
import { clientShape } from './shapes.ts'
import { Moment } from './time.tsx'
import { useAct } from './use-act.tsx'

const rotatedShape = z.object({ client_secret: z.optional(z.string()) })

/** One client, what it may do, and its secret rotated or itself revoked. */
export function ClientPage({ client_id }: { client_id: string }) {
  return (
    <>
      <p class="crumb">
        <a href={href(['clients'])}>Clients</a>
      </p>
      <ForScope scope="admin:clients">
        <OneClient key={client_id} client_id={client_id} />
      </ForScope>
    </>
  )
}

function OneClient({ client_id }: { client_id: string }) {
  const path = `/admin/v1/clients/${client_id}`
  const load = useLoad(path, signal => get(path, clientShape, signal))
  const [secret, setSecret] = useState('')
  return (
    <Loaded load={load} what="the client">
      {client => (
        <>
          <header class="title">
            <h1>
              <Id id={client.client_id} />
            </h1>
            <Badge state={client.status} />
            <ClientActs client={client} reload={load.reload} onSecret={setSecret} />
          </header>
          {secret !== '' && <SecretOnce secret={secret} onClose={() => setSecret('')} />}
          <Facts client={client} />
        </>
      )}
    </Loaded>
  )
}

function ClientActs(props: { client: ClientView; reload: () => void; onSecret: (secret: string) => void }) {
  const { client, reload, onSecret } = props
  const { client_id, token_endpoint_auth_method, status } = client
  const { begin, dialog } = useAct(reload)
  function rotate(): void {
    begin({
      title: 'Rotate the secret',
      effect: 'A new secret is made and shown once. The secrets before it stay valid for the time below, then end.',
      confirm: 'Rotate',
      seconds: {
        label: 'Seconds for which the older secrets stay valid',
        zero: 'With 0 they end at once: what still uses one is refused until it has the new secret.',
      },
      run: async ({ seconds }, key) => {
        const body = { overlap_seconds: seconds }
        const { client_secret } = await act(`/admin/v1/clients/${client_id}/secret`, body, rotatedShape, key)
        if (client_secret === undefined) return 'The secret was rotated, but its answer was lost: rotate it again.'
        onSecret(client_secret)
        return ''
      },
    })
  }
  function revoke(): void {
    begin({
      title: `Revoke ${client_id}`,
      effect:
        'The client, its agents and all their tokens die at once and for good; its name is never given out again.',
      confirm: 'Revoke the client',
      danger: true,
      reason: true,
      typed: client_id,
      run: async ({ reason }, key) => {
        const body = { kind: 'client', id: client_id, reason }
        return saidOfRevocation(await act('/admin/v1/revocations', body, revocationAnswerShape, key))
      },
    })
  }
  if (status !== 'active') return null
  return (
    <div class="acts">
      {token_endpoint_auth_method !== 'private_key_jwt' && (
        <ActButton scope="admin:clients" onClick={rotate}>
          Rotate secret
        </ActButton>
      )}
      <ActButton scope="revoke" kind="danger" onClick={revoke}>
        Revoke client
      </ActButton>
      {dialog}
    </div>
  )
}

function Facts({ client }: { client: ClientView }) {
  const { client_name, kind, owner, token_endpoint_auth_method, jwks_uri, grant_types, registers_for, policies } =
    client
  return (
    <div class="columns">
      <section class="card">
        <dl>
          <dt>Name</dt>
          <dd>
            <ForeignText text={client_name} />
          </dd>
          <dt>Kind</dt>
          <dd>{kind}</dd>
          <dt>Owner</dt>
          <dd>
            <Id id={owner} />
          </dd>
          <dt>Authenticates by</dt>
          <dd>
            <code>{token_endpoint_auth_method}</code>
            {jwks_uri !== null && (
              <>
                {' with keys of '}
                <Id id={jwks_uri} />
              </>
            )}
          </dd>
          <dt>Grants</dt>
          <dd class="ids">
            {grant_types.map(grant => (
              <Id key={grant} id={grant} />
            ))}
          </dd>
          <dt>Registers for</dt>
          <dd class="ids">
            {registers_for.length === 0 ? 'itself' : registers_for.map(name => <Id key={name} id={name} />)}
          </dd>
          {client.secrets.length > 0 && (
            <>
              <dt>Secrets</dt>
              <dd>
                {client.secrets.map(({ created_at, expires_at }) => (
                  <p key={created_at}>
                    since <Moment at={created_at} />
                    {expires_at !== null && (
                      <>
                        , until <Moment at={expires_at} />
                      </>
                    )}
                  </p>
                ))}
              </dd>
            </>
          )}
          <dt>Created</dt>
          <dd>
            <Moment at={client.created_at} />
          </dd>
          <dt>Has</dt>
          <dd>
            <a href={href(['agents'], { filter: client.client_id })}>Its agents</a>,{' '}
            <a href={href(['workflows'], { filter: client.client_id })}>its workflows</a>
          </dd>
          <dt>Audit</dt>
          <dd>
            <a href={href(['decisions'], { client_id: client.client_id })}>Decisions about this client</a>
          </dd>
        </dl>
      </section>
      <section class="card">
        <h2>Access</h2>
        <AccessList access={client.access} />
        <h2>Policies</h2>
        <PolicyList policies={policies} />
      </section>
    </div>
  )
}
