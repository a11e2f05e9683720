# Notebooks that read the engine's shared memory: Jupyter with the library for readers and its Python module.
ARG IMAGE=mdengine
ARG JUPYTER=quay.io/jupyter/scipy-notebook:python-3.11
FROM ${IMAGE} AS engine
FROM ${JUPYTER}
COPY --from=engine /usr/lib/mdengine /opt/mdengine
ENV PYTHONPATH=/opt/mdengine MDSHM_LIBRARY=/opt/mdengine/libmdshm.so.1
USER root
RUN install -d -o 1000 -g 100 /srv/notebooks
USER 1000
WORKDIR /srv/notebooks
