/**
 * The HTTP calls that all kinds of secrets share: PUT, GET, LIST, DELETE, and POST to reveal one secret or a page of
 * them. The file of a kind defines its properties.
 */
import type { HttpRequest } from '@azure/functions';
import type { SecretRef, StoredSecret } from '../../../core/accounts/secretRow.ts';
import { type Bytes, wipe } from '../../../core/base/bytes.ts';
import { fold, parseAccountName } from '../../../core/base/names.ts';
import { iso } from '../../../core/base/time.ts';
import type { SecretKind } from '../../../core/base/vocabulary.ts';
import { deleteSecret } from '../../../core/secrets/deleteSecret.ts';
import { getSecret, listSecrets, parseSecretName, refOf, secretEtagOf } from '../../../core/secrets/readSecret.ts';
import { revealOne, revealPage } from '../../../core/secrets/revealSecret.ts';
import { integrityFailure } from '../../../core/secrets/secretAudit.ts';
import { putSecret, type SecretInput } from '../../../core/secrets/writeSecret.ts';
import type { Call, RouteHandler } from '../../pipeline/call.ts';
import { answerWithEtag } from '../../pipeline/conditionalGet.ts';
import { callUrl } from '../../pipeline/links.ts';
import { readJson } from '../../pipeline/requestBody.ts';
import { conditionsIn, pageSizeOf } from '../../pipeline/requestParams.ts';
import type { Route } from '../../pipeline/route.ts';
import { type SecretSchemas, secretContracts } from './secretContract.ts';

type Properties = Readonly<Record<string, unknown>>;

export interface SecretApi {
  readonly kind: SecretKind;
  /** The name of the functions and, with a small first letter, of the parameter in the route. */
  readonly parameter: string;
  /** @throws Refusal InvalidRequestContent */
  parse(body: unknown): Omit<SecretInput, 'name'>;
  /** The properties that every answer shows. */
  shown(secret: StoredSecret): Properties;
  revealed(plain: Bytes): Properties;
  readonly schemas: SecretSchemas;
}

const noStore = { 'Cache-Control': 'no-store' } as const;

export const refIn = ({ kind, parameter }: SecretApi, request: HttpRequest): SecretRef =>
  refOf(request.params.accountName ?? '', kind, request.params[parameter] ?? '');

function render(api: SecretApi, secret: StoredSecret, more: Properties = {}) {
  const { account, kind, name: folded } = secret.ref;
  const { name: written, createdAt, updatedAt } = secret.value;
  const name = fold(written) === folded ? written : folded;
  return {
    id: `/accounts/${account}/${kind}/${name}`,
    name,
    type: `Keyward/accounts/${kind}`,
    properties: { ...api.shown(secret), ...more },
    systemData: { createdAt: iso(createdAt), lastModifiedAt: iso(updatedAt) },
    etag: secretEtagOf(secret),
  };
}

/** The secret with the content of its plain bytes. Wipes the bytes. */
export function renderRevealed(api: SecretApi, secret: StoredSecret, plain: Bytes, show = api.revealed) {
  try {
    return render(api, secret, show(plain));
  } finally {
    wipe(plain);
  }
}

function put(api: SecretApi): RouteHandler {
  return async ({ request, service, actor }) => {
    const ref = refIn(api, request);
    const input = api.parse(await readJson(request));
    const name = request.params[api.parameter] ?? '';
    try {
      const { secret, created } = await putSecret(ref, { name, ...input }, conditionsIn(request), service, actor);
      return { status: created ? 201 : 200, headers: { ETag: secretEtagOf(secret) }, jsonBody: render(api, secret) };
    } finally {
      if ('given' in input.value) wipe(input.value.given);
    }
  };
}

const get =
  (api: SecretApi): RouteHandler =>
  async ({ request, service }) => {
    const secret = render(api, await getSecret(refIn(api, request), service));
    return answerWithEtag(request, secret.etag, secret);
  };

/** One page, selected by `$top` and `$skipToken`. */
function pageOf({ kind }: SecretApi, { request }: Call) {
  const token = request.query.get('$skipToken');
  const after = token === null ? {} : { after: parseSecretName(kind, token) };
  return { account: parseAccountName(request.params.accountName ?? ''), kind, limit: pageSizeOf(request), ...after };
}

function linkTo(request: HttpRequest, path: string, limit: number, next: string | undefined) {
  if (next === undefined) return {};
  return { nextLink: callUrl(request, `/api/${path}?$top=${limit}&$skipToken=${encodeURIComponent(next)}`) };
}

const list =
  (api: SecretApi): RouteHandler =>
  async (call) => {
    const wanted = pageOf(api, call);
    const { rows, next } = await listSecrets(wanted, call.service);
    const link = linkTo(call.request, `accounts/${wanted.account}/${api.kind}`, wanted.limit, next);
    return { status: 200, jsonBody: { value: rows.map((row) => render(api, row)), ...link } };
  };

const remove =
  (api: SecretApi): RouteHandler =>
  async ({ request, service, actor }) => {
    const existed = await deleteSecret(refIn(api, request), conditionsIn(request), service, actor);
    return { status: existed ? 200 : 204 };
  };

const reveal =
  (api: SecretApi): RouteHandler =>
  async ({ request, service, ...requester }) => {
    const { row, plain } = await revealOne(refIn(api, request), 'SecretsRevealed', requester, service);
    return { status: 200, headers: noStore, jsonBody: renderRevealed(api, row, plain) };
  };

/** A row that does not open appears in the page with its error, and does not stop the others. */
const revealMany =
  (api: SecretApi): RouteHandler =>
  async (call) => {
    const { request, service, ...requester } = call;
    const wanted = pageOf(api, call);
    const { secrets, next } = await revealPage(wanted, requester, service);
    try {
      const value = secrets.map(({ row, plain }) => {
        if (plain !== undefined) return renderRevealed(api, row, plain);
        const { code, message } = integrityFailure(row.ref);
        return { ...render(api, row), error: { code, message } };
      });
      const link = linkTo(request, `accounts/${wanted.account}/${api.kind}/reveal`, wanted.limit, next);
      return { status: 200, headers: noStore, jsonBody: { value, ...link } };
    } finally {
      wipe(...secrets.map(({ plain }) => plain));
    }
  };

/** The six routes of a kind. */
export function secretRoutes(api: SecretApi): readonly Route[] {
  const { kind } = api;
  const all = `accounts/{accountName}/${kind}`;
  const one = `${all}/{${api.parameter}}`;
  const scope = 'account';
  const contracts = secretContracts(kind, api.schemas);
  return [
    {
      name: `${kind}List`,
      method: 'GET',
      path: all,
      scope,
      role: 'Secrets.Read',
      contract: contracts.list,
      handler: list(api),
    },
    {
      name: `${kind}Get`,
      method: 'GET',
      path: one,
      scope,
      role: 'Secrets.Read',
      contract: contracts.get,
      handler: get(api),
    },
    {
      name: `${kind}Put`,
      method: 'PUT',
      path: one,
      scope,
      role: 'Secrets.Write',
      contract: contracts.put,
      handler: put(api),
    },
    {
      name: `${kind}Delete`,
      method: 'DELETE',
      path: one,
      scope,
      role: 'Secrets.Write',
      contract: contracts.delete,
      handler: remove(api),
    },
    {
      name: `${kind}Reveal`,
      method: 'POST',
      path: `${one}/reveal`,
      scope,
      role: 'Secrets.Reveal',
      gate: 'beside',
      contract: contracts.reveal,
      handler: reveal(api),
    },
    {
      name: `${kind}RevealPage`,
      method: 'POST',
      path: `${all}/reveal`,
      scope,
      role: 'Secrets.Reveal',
      gate: 'beside',
      contract: contracts.revealPage,
      handler: revealMany(api),
    },
  ];
}
